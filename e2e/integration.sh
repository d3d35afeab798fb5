#!/usr/bin/env bash
# Runs the tests marked `#[ignore]` of the given cargo packages, on a Kafka and a Cassandra of their own.
#   integration.sh CARGO_PACKAGE_OPTION...
# KEEP_BACKENDS=1 leaves the two running for the next time.
. "$(dirname "$0")/lib.sh"

[ -n "${KEEP_BACKENDS:-}" ] || trap '"$root/e2e/backends.sh" down' EXIT
settings=$("$root/e2e/backends.sh" up)
cd "$root"
# shellcheck disable=SC2086 # one setting a line
env $settings cargo test --locked "$@" -- --ignored
