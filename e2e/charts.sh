#!/usr/bin/env bash
# `make charts`: every chart lints and renders with its defaults and with each file of e2e/charts/CHART/good,
# and refuses a misspelled value and each file of e2e/charts/CHART/bad.
. "$(dirname "$0")/lib.sh"

"$root/e2e/prepare.sh" tools
checked=0
render() { helm lint --strict --quiet "$@" && helm template release "$@" >/dev/null; }
accepts() { checked=$((checked + 1)); render "$@" >"$CACHE/logs/chart.log" 2>&1 || { cat "$CACHE/logs/chart.log" >&2; die "refused, and should not be: $*"; }; }
refuses() { checked=$((checked + 1)); ! helm template release "$@" >/dev/null 2>&1 || die "accepted, and should be refused: $*"; }

for chart in "$root"/helm/*/; do
  cases=$root/e2e/charts/$(basename "$chart")
  accepts "$chart"
  refuses "$chart" --set misspelled=1
  for values in "$cases"/good/*.yaml; do [ ! -e "$values" ] || accepts "$chart" -f "$values"; done
  for values in "$cases"/bad/*.yaml; do [ ! -e "$values" ] || refuses "$chart" -f "$values"; done
done
say "charts: $checked cases as expected"
