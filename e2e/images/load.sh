#!/usr/bin/env bash
# Loads the images of the sample into the cluster's nodes; kind skips what a node has already. The engines run
# on workers only.
. "$(dirname "$0")/../lib.sh"
. "$root/e2e/images/engines.env"

[ -n "${IMAGES:=${CHAT4ALL_IMAGES:-}}" ] || decide_images
if [ "$IMAGES" = registries ]; then engines=("chat4all/kafka:$KAFKA" "chat4all/cassandra:$CASSANDRA")
else engines=("$KAFKA_UPSTREAM" "$CASSANDRA_UPSTREAM"); fi
begin=$SECONDS
workers=$(kind get nodes --name "$CLUSTER" | grep worker | paste -sd,)
# Upstream's can still be pulled by the nodes, which some stores of Docker make necessary: they cannot save every image.
kind load docker-image -q --name "$CLUSTER" --nodes "$workers" "${engines[@]}" || [ "$IMAGES" = upstream ]
kind load docker-image -q --name "$CLUSTER" "chat4all/chat4all:$VERSION" "chat4all/chat4all-operator:$VERSION"
say "images are in the nodes ($((SECONDS - begin)) s)"
