#!/usr/bin/env bash
# Runs make targets one after the other, says how long each took, and ends with one line of counted tests.
#   phases.sh TARGET[+TARGET]...     those that a + joins run at the same time
. "$(dirname "$0")/lib.sh"

log=$CACHE/logs/test.log
: >"$log"
times=()
# counts LEAST: a failure that is no test's, such as a compiler's, counts as LEAST failed.
counts() { awk -v least="$1" '/^test result:/ {passed += $4; failed += $6} END {printf "%d passed, %d failed\n", passed, (failed > least ? failed : least)}' "$log"; }
run() { make --no-print-directory -C "$root" "$1"; }
at_once() { # TARGET...: shows the first at its work, and what the others said when they are done
  local target pid first=$1 made=() failed=0
  shift
  # What runs in the background does not hear Ctrl-C.
  trap '[ ${#made[@]} = 0 ] || kill "${made[@]}"; exit 130' INT TERM
  for target; do run "$target" >"$CACHE/logs/$target.log" 2>&1 & made+=($!); done
  run "$first" || failed=1
  for pid in "${made[@]}"; do wait "$pid" || failed=1; done
  for target; do say "--- $target"; cat "$CACHE/logs/$target.log"; done
  return $failed
}
for phase; do
  begin=$SECONDS
  say "=== $phase"
  if ! at_once ${phase//+/ } 2>&1 | tee -a "$log"; then
    printf '\nmake %s failed; the whole output: %s\n' "${phase//+/ }" "$log"
    counts 1
    exit 1
  fi
  times+=("$phase $((SECONDS - begin)) s")
done
printf '\n'
printf '  %s\n' "${times[@]}" "total $SECONDS s"
counts 0
