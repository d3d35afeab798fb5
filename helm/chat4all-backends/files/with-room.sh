# Starts Kafka, or what the arguments say, when a folder has room: with-room.sh FOLDER MEBIBYTES PROGRAM [ARGUMENT ...].
# Until then it waits, and says so. Kafka 4.2 that is started while its disk is full cannot write its indexes, takes that
# for a corrupt log, and begins the log anew: topics and messages that were there are gone. Started when there is room
# again, it has them all.
set -eu
folder=$1 mebibytes=$2
shift 2
# As the first process of a container it would not hear it otherwise.
trap 'exit 143' TERM
left() { df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }'; }
told=
while room=$(left) && [ "${room:?df does not tell the room in $folder}" -lt "$mebibytes" ]; do
  [ "$told" ] || echo "Kafka waits: $folder has $room MiB left of the $mebibytes that it needs to start. Make the volume larger, or delete what does not belong there; it goes on within minutes, and at once when the pod is deleted" >&2
  told=yes
  sleep 1
done
exec "$@"
