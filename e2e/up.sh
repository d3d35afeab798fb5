#!/usr/bin/env bash
# `make up`: from nothing to a first message that was read, on this machine. Fast when little has changed.
. "$(dirname "$0")/lib.sh"

"$root/e2e/cluster.sh"
"$root/e2e/deploy.sh"
say "ready:"
kubectl -n "$NAMESPACE" get c4a
"$root/e2e/first-message.sh"
say "make up took $SECONDS s"
