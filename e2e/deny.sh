#!/usr/bin/env bash
# cargo deny for `make lint`. Where the database of advisories cannot be fetched, the other checks run and it is said.
. "$(dirname "$0")/lib.sh"

cd "$root"
if timeout 60 cargo deny --log-level off fetch db >/dev/null 2>&1; then
  cargo deny --locked check
else
  say "note: the database of security advisories cannot be fetched here; checking bans, licenses and sources only"
  cargo deny --locked check bans licenses sources
fi
