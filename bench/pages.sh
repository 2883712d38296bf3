#!/usr/bin/env bash
# Measures the cost of the pages: a topic read without a web server, with an idle one, and with five pages open in turns.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=bench/events.sh
source bench/events.sh
# shellcheck source=dev/lib/port.sh
source dev/lib/port.sh

usage() {
    cat <<'EOF'
usage: bench/pages.sh [--json] [--rounds N] [--count N] [--users N] [--workers N] [--no-build]

Builds the binary, starts a Kafka and a Redis, fills a topic of four partitions, and reads it to its end in three
ways, in turn: with --listen off; with the web server and no open page; with five live pages, open for four seconds and
closed for four, repeatedly. Each run has a new group and an empty Redis. Prints CPU time and events per second of whole
runs without and with a server, the CPU time of the threads that serve pages, and the throughput while pages are open,
compared with the seconds before and after. Linux only. Needs python3, redis-server and what dev/kafka.sh needs. Run no
other load meanwhile.

  --json        figures as one JSON object instead of text
  --rounds N    runs of each kind (5)
  --count N     events (16000000)
  --users N     users (200000)
  --workers N   worker threads (2)
  --no-build    use the existing binary
EOF
}

JSON=() ROUNDS=5 COUNT=16000000 USERS=200000 WORKERS=2 BUILD=1
while (($# > 0)); do
    case $1 in
        --json) JSON=(--json) ;;
        --rounds) ROUNDS=${2:?--rounds needs a number}; shift ;;
        --count) COUNT=${2:?--count needs a number}; shift ;;
        --users) USERS=${2:?--users needs a number}; shift ;;
        --workers) WORKERS=${2:?--workers needs a number}; shift ;;
        --no-build) BUILD=0 ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

((BUILD == 0)) || build_binary

DIR=$(mktemp -d "${TMPDIR:-/tmp}/windrow-pages.XXXXXX")
finish() {
    dev/kafka.sh stop --dir "$DIR/kafka" || true
    dev/redis.sh stop --dir "$DIR/redis" || true
    rm -rf -- "$DIR"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

KAFKA_PORT=$(port_free)
dev/kafka.sh start --port "$KAFKA_PORT" --dir "$DIR/kafka" >&2
REDIS_PORT=$(port_free)
dev/redis.sh start --port "$REDIS_PORT" --dir "$DIR/redis" >&2
dev/kafka.sh topic --port "$KAFKA_PORT" --name ecommerce-events --partitions 4 >&2

# Two days of events: windows fire ten times a second of the run, so that every turn writes rows.
generate_command kafka "$COUNT" "$USERS" 48h
"${GENERATE[@]}" --set "source.kafka.brokers=localhost:$KAFKA_PORT" >&2

python3 bench/pages.py "${JSON[@]}" --rounds "$ROUNDS" --events "$COUNT" \
    --listen "127.0.0.1:$(port_free)" --redis "$REDIS_PORT" --dir "$DIR" -- \
    "$BINARY" run pipelines/ecommerce.toml --bounded --workers "$WORKERS" \
    --set "source.kafka.brokers=localhost:$KAFKA_PORT" --set "sink.redis.url=redis://localhost:$REDIS_PORT"
