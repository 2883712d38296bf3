#!/usr/bin/env bash
# Kills a job with kill -9 at random moments and restarts it: the long form of the end-to-end test `kill`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'EOT'
usage: bench/kill_loop.sh [--kills N] [--seed N] [--kafka HOST:PORT]

Runs a job on real Kafka and Redis under load and kills it at N random moments (50), with a restart after each. In the end
Redis must hold the rows of a run without kills, and a reader must never have seen a row go back. The printed seed repeats
the events and the moments. Without --kafka (or WINDROW_TEST_KAFKA) it starts a Kafka and stops it at the end. Needs
redis-server.
EOT
}

KILLS=50 SEED=$RANDOM KAFKA=${WINDROW_TEST_KAFKA:-}
while (($# > 0)); do
    case $1 in
        --kills) KILLS=${2:?--kills needs a number}; shift ;;
        --seed) SEED=${2:?--seed needs a number}; shift ;;
        --kafka) KAFKA=${2:?--kafka needs HOST:PORT}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

if [[ -z $KAFKA ]]; then
    # shellcheck source=dev/lib/port.sh
    source dev/lib/port.sh
    PORT=$(port_free)
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/windrow-kill.XXXXXX")
    trap 'dev/kafka.sh stop --dir "$DIR"; rm -rf -- "$DIR"' EXIT
    dev/kafka.sh start --port "$PORT" --dir "$DIR"
    KAFKA=localhost:$PORT
fi

WINDROW_TEST_KAFKA=$KAFKA WINDROW_KILLS=$KILLS WINDROW_SEED=$SEED \
    cargo test --locked -p windrow --test end_to_end killed_at_any_moment -- --nocapture
