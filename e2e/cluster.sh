#!/usr/bin/env bash
# `make cluster`: a kind cluster named chat4all that answers, with every image of the sample loaded into it.
# Does nothing to a cluster that is up already.
. "$(dirname "$0")/lib.sh"

"$root/e2e/prepare.sh" build cluster
decide_images
export CHAT4ALL_IMAGES=$IMAGES
image=()
if [ "$IMAGES" = registries ]; then
  . "$root/e2e/kind/versions.env"
  "$root/e2e/kind/node-image.sh"
  image=(--image "chat4all/node:$K8S")
fi
"$root/e2e/images/programs.sh"
"$root/e2e/images/engines.sh"

nodes() { docker ps -q --filter "label=io.x-k8s.kind.cluster=$CLUSTER" "$@"; }
answers() { kubectl get --raw /readyz; }
if [ -n "$(nodes -a)" ]; then
  # Nodes that were stopped, by a restart of the machine say, may get each other's addresses when they are started.
  if [ "$(nodes | wc -l)" = "$(nodes -a | wc -l)" ] && kind export kubeconfig -q --name "$CLUSTER" \
    && wait_until 45 "the cluster that exists answers" answers; then
    say "cluster $CLUSTER is up"
    if [ "$IMAGES" = registries ] && [ "$(docker inspect -f '{{.Image}}' "$CLUSTER-control-plane")" != "$(docker image inspect -f '{{.Id}}' "${image[1]}")" ]; then
      say "note: its nodes run an older node image; \`make down up\` makes a new cluster"
    fi
  else
    say "the cluster that exists does not work any more: making a new one"
    kind delete cluster --name "$CLUSTER" -q
  fi
fi
if [ -z "$(nodes -a)" ]; then
  say "creating cluster $CLUSTER"
  kind create cluster -q --config "$root/kind-config.yaml" --wait 180s "${image[@]}" \
    || die "kind could not create the cluster; once more with its log kept: kind create cluster --config kind-config.yaml --retain, kind export logs"
fi
chmod 600 "$KUBECONFIG"

"$root/e2e/images/load.sh"
system_is_up() {
  kubectl -n kube-system rollout status deployment/coredns --timeout=120s \
    && kubectl -n local-path-storage rollout status deployment/local-path-provisioner --timeout=120s
}
system_is_up >/dev/null || { diagnose kube-system local-path-storage; die "DNS or storage of the cluster did not come up"; }
say "cluster $CLUSTER is ready"
