#!/usr/bin/env bash
# `make down`: removes the kind cluster with all that is in it. The caches stay in $CACHE.
. "$(dirname "$0")/lib.sh"

docker info >/dev/null 2>&1 || { say "Docker does not run, and so no cluster does"; exit; }
nodes=$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$CLUSTER")
if [ -z "$nodes" ]; then
  say "there is no cluster $CLUSTER"
else
  # What `kind delete cluster` does, without having to have kind.
  # shellcheck disable=SC2086
  docker rm -fv $nodes >/dev/null
  say "cluster $CLUSTER is gone; caches stay in $CACHE"
fi
rm -f "$KUBECONFIG"
