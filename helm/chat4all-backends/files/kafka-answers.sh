# Does the Kafka broker at HOST PORT serve? Asks for its metadata and wants to see a broker in the answer: a
# listener that is open only, or a broker that its controller does not let in yet, does not count.
set -eu
exec 3<>"/dev/tcp/${1:-127.0.0.1}/${2:-9092}"
# Length 14; Metadata (3) version 1; correlation 1; no client id; no topics.
printf '\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0' >&3
# Length, correlation, number of brokers.
answer=$(timeout 3 head -c 12 <&3 | od -An -v -tu1 | tr -s ' \n' ' ')
case $answer in
  *' 0 0 0 1 0 0 0 '[1-9]*) ;;
  *) echo "no broker in the metadata: '$answer'" >&2; exit 1 ;;
esac
