# Does the Cassandra node at HOST PORT serve? Asks which options its native transport supports.
set -eu
exec 3<>"/dev/tcp/${1:-127.0.0.1}/${2:-9042}"
# Protocol 4, no flags, stream 0, OPTIONS (5), no body.
printf '\004\0\0\0\005\0\0\0\0' >&3
# A response of protocol 4, no flags, stream 0, SUPPORTED (6).
answer=$(timeout 3 head -c 5 <&3 | od -An -v -tu1 | tr -s ' \n' ' ')
case $answer in
  ' 132 0 0 0 6 '*) ;;
  *) echo "not the answer of a native transport: '$answer'" >&2; exit 1 ;;
esac
