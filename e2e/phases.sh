#!/usr/bin/env bash
# Runs make targets one after the other, says how long each took, and ends with one line of counted tests.
#   phases.sh TARGET...
. "$(dirname "$0")/lib.sh"

log=$CACHE/logs/test.log
: >"$log"
times=()
# counts LEAST: a failure that is no test's, such as a compiler's, counts as LEAST failed.
counts() { awk -v least="$1" '/^test result:/ {passed += $4; failed += $6} END {printf "%d passed, %d failed\n", passed, (failed > least ? failed : least)}' "$log"; }
for target; do
  begin=$SECONDS
  say "=== $target"
  if ! make --no-print-directory -C "$root" "$target" 2>&1 | tee -a "$log"; then
    printf '\nmake %s failed; the whole output: %s\n' "$target" "$log"
    counts 1
    exit 1
  fi
  times+=("$target $((SECONDS - begin)) s")
done
printf '\n'
printf '  %s\n' "${times[@]}" "total $SECONDS s"
counts 0
