#!/usr/bin/env bash
# Writes what is made from the operator's types: the CRD, for kubectl and as a template of the chart. A unit test
# of the operator fails when what is committed differs.
. "$(dirname "$0")/lib.sh"

cd "$root"
generate() { # FORMAT FILE
  cargo run --locked --quiet -p chat4all-operator -- crd --format "$1" >"$CACHE/crd.tmp"
  cmp -s "$CACHE/crd.tmp" "$2" || { cp "$CACHE/crd.tmp" "$2" && say "wrote $2"; }
  rm -f "$CACHE/crd.tmp"
}
generate manifest crds/chat4allclusters.yaml
generate chart helm/chat4all-operator/templates/crd.yaml
