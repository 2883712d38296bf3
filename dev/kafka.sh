#!/usr/bin/env bash
# Runs Apache Kafka for development and tests without Docker: one broker in KRaft mode, fetched once from Maven Central.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/say.sh
source "$HERE/lib/say.sh"
# shellcheck source=lib/process.sh
source "$HERE/lib/process.sh"
# shellcheck source=lib/port.sh
source "$HERE/lib/port.sh"
# shellcheck source=lib/java.sh
source "$HERE/lib/java.sh"
# shellcheck source=lib/jars.sh
source "$HERE/lib/jars.sh"

LIBS=${WINDROW_KAFKA_LIBS:-$HERE/../.windrow/kafka/libs}

usage() {
    cat <<'EOF'
usage: dev/kafka.sh fetch                              fetch the jars (once; start does it too when needed)
       dev/kafka.sh start --port PORT --dir DIR [KEY=VALUE]…
                                                       start, wait until ready (harmless when it runs already);
                                                       KEY=VALUE: broker settings, which override those of this script
       dev/kafka.sh stop  --dir DIR                    stop what `start` started in DIR (harmless when nothing runs)
       dev/kafka.sh topic --port PORT --name TOPIC --partitions N
                                                       create a topic; an existing one stays as it is
       dev/kafka.sh version                            the Kafka version in dev/pom.xml

environment:
  WINDROW_KAFKA_LIBS   where the jars are (default: .windrow/kafka/libs of the project)
  WINDROW_KAFKA_HEAP   the broker's Java heap (default: 512m)
exit codes: 0 done, 1 failed, 2 wrong arguments, 3 Kafka cannot be fetched
EOF
}

PORT='' DIR='' NAME='' PARTITIONS='' SETTINGS=()
parse() {
    while (($#)); do
        case $1 in
            --port) PORT=${2:?--port needs a number}; shift 2 ;;
            --dir) DIR=${2:?--dir needs a folder}; shift 2 ;;
            --name) NAME=${2:?--name needs a topic}; shift 2 ;;
            --partitions) PARTITIONS=${2:?--partitions needs a number}; shift 2 ;;
            [a-z]*=*) SETTINGS+=("$1"); shift ;;
            *) say_error "unknown argument: $1"; usage >&2; exit 2 ;;
        esac
    done
}

require() {
    local name
    for name; do
        [[ -n ${!name} ]] || { say_error "--${name,,} is missing"; exit 2; }
    done
}

version() { sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$HERE/pom.xml"; }

fetch() { jars_fetch "Apache Kafka $(version)" "$HERE/pom.xml" "$LIBS"; }

# kafka_tool CLASS ARGUMENT…: runs one of Kafka's command line tools.
kafka_tool() { jars_run "$LIBS" -Dkafka.log.level=error -Dlog4j2.configurationFile="$HERE/log4j2.xml" "$@"; }

write_settings() {
    cat <<EOF
# Written by dev/kafka.sh at every start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:$1
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$1
advertised.listeners=PLAINTEXT://localhost:$PORT
log.dirs=$DIR/data
# As in production: no topic appears without a command that names its number of partitions.
auto.create.topics.enable=false
# One broker holds every replica.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The first member of a group need not wait for others.
group.initial.rebalance.delay.ms=0
# With group_protocol = "consumer" the broker decides when a session times out: 6 s instead of 45 s keep tests short.
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=1000
EOF
    ((${#SETTINGS[@]} == 0)) || printf '%s\n' '# From the command line.' "${SETTINGS[@]}"
}

start() {
    require PORT DIR
    mkdir -p "$DIR"
    DIR=$(cd "$DIR" && pwd)
    local pidfile=$DIR/kafka.pid log=$DIR/kafka.log began=$SECONDS
    if process_alive "$pidfile"; then
        kafka_answers "$PORT" && { echo "Kafka already running on localhost:$PORT"; return 0; }
        say_error "the Kafka of $DIR runs, but does not answer on port $PORT"
        say_hint "stop it first: dev/kafka.sh stop --dir $DIR"
        return 1
    fi
    if port_open "$PORT"; then
        say_error "port $PORT is in use by another program"
        return 1
    fi
    java_path >/dev/null || { say_error "no Java 17 or newer found: Apache Kafka $(version) needs it"; return 1; }
    fetch || return
    write_settings "$(port_free)" >"$DIR/server.properties"
    : >"$log"
    if [[ ! -e $DIR/data/meta.properties ]]; then
        kafka_tool kafka.tools.StorageTool format --cluster-id "windrow-dev-cluster-00" \
            --config "$DIR/server.properties" >>"$log" 2>&1 || { start_failed "$pidfile" "$log"; return 1; }
    fi
    process_start "$pidfile" "$log" \
        "$(java_path)" "-Xms${WINDROW_KAFKA_HEAP:-512m}" "-Xmx${WINDROW_KAFKA_HEAP:-512m}" -XX:+UseSerialGC \
        -Dlog4j2.configurationFile="$HERE/log4j2.xml" -cp "$LIBS/*" kafka.Kafka "$DIR/server.properties"
    until grep -q 'Kafka Server started' "$log"; do
        if ! process_alive "$pidfile" || ((SECONDS - began > 90)); then
            start_failed "$pidfile" "$log"
            return 1
        fi
        sleep 0.1
    done
    echo "Kafka $(version) ready on localhost:$PORT"
}

start_failed() {
    say_error "Kafka did not start on port $PORT"
    say_log_end "$2"
    process_stop "$1" 5 || true
}

stop() {
    require DIR
    process_stop "$DIR/kafka.pid" 40 || { say_error "the Kafka of $DIR does not stop"; return 1; }
}

topic() {
    require PORT NAME PARTITIONS
    kafka_answers "$PORT" || { say_error "no Kafka answers on localhost:$PORT"; return 1; }
    java_path >/dev/null || { say_error "no Java 17 or newer found: Kafka's topic tool needs it"; return 1; }
    fetch || return
    local tool=(kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "localhost:$PORT" --topic "$NAME")
    local out have
    if out=$("${tool[@]}" --create --partitions "$PARTITIONS" --replication-factor 1 2>&1); then
        echo "topic $NAME created with $PARTITIONS partitions"
    elif [[ $out == *"already exists"* ]]; then
        have=$("${tool[@]}" --describe | sed -n 's/.*PartitionCount: *\([0-9]*\).*/\1/p')
        echo "topic $NAME exists with $have partitions"
    else
        say_error "topic $NAME could not be created on localhost:$PORT"
        printf '%s\n' "$out" | head -n 5 >&2
        return 1
    fi
}

case ${1:-} in
    fetch | start | stop | topic | version) command=$1; shift; parse "$@"; "$command" ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
