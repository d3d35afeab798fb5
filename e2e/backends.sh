#!/usr/bin/env bash
# One Kafka and one Cassandra under plain Docker, reachable on loopback only: for integration tests, and for
# running a workload outside a cluster.
#   backends.sh up     starts them and returns when both answer; nothing to do when they run
#   backends.sh env    prints the settings that a workload or a test needs
#   backends.sh down   removes them with their data
. "$(dirname "$0")/lib.sh"
. "$root/e2e/images/engines.env"

kafka=chat4all-it-kafka kafka_port=${IT_KAFKA_PORT:-19092}
cassandra=chat4all-it-cassandra cassandra_port=${IT_CASSANDRA_PORT:-19042}
answers() { bash "$root/helm/chat4all-backends/files/$1-answers.sh" 127.0.0.1 "$2"; }

# run NAME IMAGE DOCKER_OPTION...: a container of that name and image runs.
run() {
  local name=$1 image=$2 wanted
  shift 2
  wanted=$(docker image inspect -f '{{.Id}}' "$image")
  [ "$(docker inspect -f '{{.State.Running}} {{.Image}}' "$name" 2>/dev/null)" != "true $wanted" ] || return 0
  docker rm -fv "$name" >/dev/null 2>&1 || true
  say "starting $name ($image)"
  docker run -d --name "$name" --label io.chat4all.purpose=integration "$@" "$image" >/dev/null
}
# Ours run as in the cluster: nothing but /data and /tmp can be written to.
ours=(--read-only --tmpfs "/tmp:exec,mode=1777" --cap-drop ALL --security-opt no-new-privileges)

start() {
  "$root/e2e/prepare.sh" cluster
  decide_images
  CHAT4ALL_IMAGES=$IMAGES "$root/e2e/images/engines.sh"
  # The drivers are told 127.0.0.1 and use the port that they first knocked at for every node.
  if [ "$IMAGES" = registries ]; then
    run $kafka "chat4all/kafka:$KAFKA" -p "127.0.0.1:$kafka_port:9092" -e "ADVERTISED=127.0.0.1:$kafka_port" "${ours[@]}"
    run $cassandra "chat4all/cassandra:$CASSANDRA" -p "127.0.0.1:$cassandra_port:9042" -e ADVERTISED=127.0.0.1 -e COMMITLOG=periodic "${ours[@]}"
  else
    run $kafka "$KAFKA_UPSTREAM" -p "127.0.0.1:$kafka_port:9092" -e KAFKA_HEAP_OPTS=-Xmx256m \
      -e KAFKA_NODE_ID=1 -e KAFKA_PROCESS_ROLES=broker,controller -e KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093 \
      -e KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER -e KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://localhost:9093,ITSELF://localhost:9094 \
      -e "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:$kafka_port,ITSELF://localhost:9094" \
      -e KAFKA_INTER_BROKER_LISTENER_NAME=ITSELF \
      -e KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,ITSELF:PLAINTEXT \
      -e KAFKA_AUTO_CREATE_TOPICS_ENABLE=false -e KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 -e KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS=12 \
      -e KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1 -e KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1 \
      -e KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS=6000 -e KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0
    run $cassandra "$CASSANDRA_UPSTREAM" -p "127.0.0.1:$cassandra_port:9042" -e MAX_HEAP_SIZE=512M -e HEAP_NEWSIZE=128M \
      -e CASSANDRA_BROADCAST_RPC_ADDRESS=127.0.0.1 \
      -e JVM_EXTRA_OPTS='-Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0'
  fi
  wait_until 90 "$kafka answers" answers kafka "$kafka_port" || { docker logs --tail 20 $kafka >&2; exit 1; }
  wait_until 120 "$cassandra answers" answers cassandra "$cassandra_port" || { docker logs --tail 20 $cassandra >&2; exit 1; }
  say "Kafka and Cassandra answer"
}

case ${1:-} in
  up) start >&2; "$0" env ;;
  env)
    echo "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$kafka_port"
    echo "STORE_CONTACT_POINTS=127.0.0.1:$cassandra_port" ;;
  down) docker rm -fv $kafka $cassandra >/dev/null 2>&1 || true; say "$kafka and $cassandra are gone" ;;
  *) die "usage: backends.sh up|env|down" ;;
esac
