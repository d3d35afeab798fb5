#!/usr/bin/env bash
# Runs a command with the settings of a Kafka and a Cassandra of its own, which are removed afterwards.
#   with-backends.sh COMMAND...
# KEEP_BACKENDS=1 leaves the two running for the next time.
. "$(dirname "$0")/lib.sh"

[ -n "${KEEP_BACKENDS:-}" ] || trap '"$root/e2e/backends.sh" down' EXIT
settings=$("$root/e2e/backends.sh" up)
cd "$root"
# shellcheck disable=SC2086 # one setting a line
env $settings "$@"
