#!/usr/bin/env bash
# `make charts`: every chart lints and renders with its defaults and with each file of e2e/charts/CHART/good,
# and refuses a misspelled value and each file of e2e/charts/CHART/bad. And what a chart's script decides, with stand-ins
# for what it asks.
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

# A df that tells what a file says, so that the room can change while the script waits.
work=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; rm -rf "$work"' EXIT
room() { echo "$1" >"$work/room.new" && mv "$work/room.new" "$work/room"; }
printf '#!/bin/sh\n[ -s "%s/room" ] || exit 1\necho Filesystem 1024-blocks Used Available Capacity Mounted on\necho disk 0 0 $(cat "%s/room") 0%% /data\n' "$work" "$work" >"$work/df"
chmod +x "$work/df"
# Each use is a process of its own, which it becomes, so that ending it ends all of it.
with_room() { PATH=$work:$PATH exec timeout 30 bash "$root/helm/chat4all-backends/files/with-room.sh" /data 64 "$@"; }

room $((64 * 1024))
[ "$(with_room echo started 2>&1)" = started ] || die "with-room.sh does not start a program that has room"
room $((64 * 1024 - 1))
with_room touch "$work/started" 2>"$work/said" &
wait_until 10 "with-room.sh to say what it waits for" grep "^Kafka waits: /data has 63 MiB left of the 64 that it needs" "$work/said"
# Longer than it waits between two looks.
sleep 2.5
[ ! -e "$work/started" ] || die "with-room.sh starts a program that has no room"
room $((64 * 1024))
wait %1 || die "with-room.sh fails when there is room again"
[ -e "$work/started" ] || die "with-room.sh does not start the program when there is room again"
rm "$work/room"
(with_room true) 2>"$work/said" && die "with-room.sh starts a program where df tells nothing"
grep -q "df does not tell the room in /data" "$work/said" || die "with-room.sh does not say that df tells nothing: $(cat "$work/said")"
for images in local upstream; do
  helm template release "$root/helm/chat4all-backends" --set images=$images | grep "/scripts/with-room.sh, /data" >/dev/null || die "Kafka of images=$images is started without with-room.sh"
done
say "charts: $checked cases as expected, and with-room.sh waits for room"
