#!/usr/bin/env bash
# Installs into the cluster of cluster.sh: the engines, the operator, and the sample of examples/ with its
# Secrets; returns when the sample is Ready. Run again it changes only what has changed.
#   deploy.sh engines|operator|sample ...   only these parts
. "$(dirname "$0")/lib.sh"

[ -n "${IMAGES:=${CHAT4ALL_IMAGES:-}}" ] || decide_images
demo=$CACHE/demo # the sample's credentials, made once

namespace() { # NAME: exists, and takes only pods of the restricted profile
  kubectl apply --server-side --force-conflicts --field-manager=chat4all-up -f - >/dev/null <<END
apiVersion: v1
kind: Namespace
metadata:
  name: $1
  labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}
END
}

# secret NAME KEY=FILE...: in the sample's namespace, with these contents.
secret() {
  kubectl -n "$NAMESPACE" create secret generic "$1" "${@:2}" --dry-run=client -o yaml |
    kubectl apply --server-side --force-conflicts --field-manager=chat4all-up -f - >/dev/null
}

random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# once FILE COMMAND...: its output is made when the file is not there yet.
once() { [ -s "$1" ] || { "${@:2}" >"$1.tmp" && mv "$1.tmp" "$1"; }; }

users() {
  user demo user "$demo/password"
  user ops operator "$demo/operator-password"
}
user() { # NAME ROLE PASSWORD-FILE
  local hash
  hash=$(docker run -i --rm "chat4all/chat4all:$VERSION" hash-password <"$3")
  printf -- '- {username: %s, role: %s, passwordHash: "%s"}\n' "$1" "$2" "$hash"
}

# roll WHERE IMAGE: pods that still run an older content of the image are replaced. The tag says the same, so
# Kubernetes would not notice.
roll() {
  local namespace=$1 image=$2 current running owner outdated=()
  current=$(docker exec "$CLUSTER-worker" crictl inspecti -o json "docker.io/$image" | jq -r '.status.id, .status.repoDigests[]')
  while read -r owner running; do
    [ -n "$running" ] && ! grep -qF "${running##*@}" <<<"$current" && outdated+=("${owner%-*}")
  done < <(kubectl -n "$namespace" get pods -o json | jq -r --arg image "$image" '.items[]
      | select(.metadata.deletionTimestamp == null and .metadata.ownerReferences[0].kind == "ReplicaSet") | . as $pod
      | .status.containerStatuses[]? | select(.image | endswith($image))
      | "\($pod.metadata.ownerReferences[0].name) \(.imageID)"')
  [ ${#outdated[@]} -gt 0 ] || return 0
  for owner in $(printf '%s\n' "${outdated[@]}" | sort -u); do
    say "restarting $owner, which runs an older build"
    kubectl -n "$namespace" rollout restart "deployment/$owner" >/dev/null
  done
  # The resource says Ready until its operator has seen the restart: wait for the rollouts themselves.
  for owner in $(printf '%s\n' "${outdated[@]}" | sort -u); do rolled_out "$namespace" 120 "deployment/$owner"; done
}

rolled_out() { # NAMESPACE SECONDS KIND/NAME...
  local item
  for item in "${@:3}"; do
    kubectl -n "$1" rollout status "$item" --timeout="$2s" >/dev/null || { diagnose "$1"; die "$item did not become ready within $2 s"; }
  done
}

engines() {
  local source=local
  [ "$IMAGES" = registries ] || source=upstream
  namespace "$NAMESPACE"
  helm upgrade --install backends "$root/helm/chat4all-backends" -n "$NAMESPACE" --set "images=$source" >/dev/null
  say "waiting for Kafka and Cassandra"
  rolled_out "$NAMESPACE" 300 statefulset/kafka statefulset/cassandra
}

operator() {
  namespace "$OPERATOR_NAMESPACE"
  helm upgrade --install chat4all-operator "$root/helm/chat4all-operator" -n "$OPERATOR_NAMESPACE" >/dev/null
  kubectl wait --for=condition=Established --timeout=60s crd/chat4allclusters.chat4all.io >/dev/null
  roll "$OPERATOR_NAMESPACE" "chat4all/chat4all-operator:$VERSION"
  say "waiting for the operator"
  rolled_out "$OPERATOR_NAMESPACE" 180 deployment/chat4all-operator
}

sample() {
  mkdir -p "$demo"
  chmod 700 "$demo"
  once "$demo/password" random 8
  once "$demo/operator-password" random 8
  once "$demo/jwt-key" random 32
  for key in access-token app-secret verify-token; do once "$demo/$key" random 16; done
  for key in password operator-password; do
    [ "$demo/users.yaml" -nt "$demo/$key" ] || rm -f "$demo/users.yaml"
  done
  once "$demo/users.yaml" users

  namespace "$NAMESPACE"
  secret demo-auth --from-file=jwt-key="$demo/jwt-key" --from-file=users.yaml="$demo/users.yaml"
  secret demo-whatsapp --from-file=access-token="$demo/access-token" --from-file=app-secret="$demo/app-secret" \
    --from-file=verify-token="$demo/verify-token"
  kubectl apply --server-side --force-conflicts --field-manager=chat4all-up \
    -f "$root/examples/simulator.yaml" -f "$root/examples/cluster.yaml" >/dev/null
  roll "$NAMESPACE" "chat4all/chat4all:$VERSION"
  say "waiting for the sample cluster: topics, schema, workloads"
  rolled_out "$NAMESPACE" 120 deployment/simulator
  kubectl -n "$NAMESPACE" wait --for=condition=Ready --timeout=300s c4a/demo >/dev/null \
    || { diagnose "$NAMESPACE" "$OPERATOR_NAMESPACE"; die "Chat4AllCluster demo did not become Ready within 300 s"; }
}

[ $# -gt 0 ] || set -- engines operator sample
for part; do
  case $part in engines | operator | sample) "$part" ;; *) die "deploy.sh knows engines, operator and sample, not '$part'" ;; esac
done
