# Runs a program when a folder has room: with-room.sh FOLDER MEBIBYTES PROGRAM [ARGUMENT ...]. Until then it waits, and says
# so. Kafka 4.2 that is started while its disk is full cannot write its indexes, takes that for a corrupt log, and begins
# the log anew: topics and messages that were there are gone. Started when there is room again, it has them all.
set -eu
folder=$1 mebibytes=$2
shift 2
left() { echo $(($(df -Pk "$folder" | awk 'NR == 2 { print $4 }') / 1024)); }
told=
until [ "$(left)" -ge "$mebibytes" ]; do
  [ "$told" ] || echo "$1 is not started: $folder has $(left) MiB left of the $mebibytes that it needs. Make the volume larger, or delete what does not belong there; it is started at once then" >&2
  told=yes
  sleep 1
done
exec "$@"
