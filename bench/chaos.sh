#!/usr/bin/env bash
# Disturbs a job in every way at once: the long form of the end-to-end test `chaos`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'EOT'
usage: bench/chaos.sh [--minutes N] [--seed N] [--kafka HOST:PORT] [--s3 URL]

Runs three instances on eight partitions of a real Kafka for N minutes (10), with a Redis master, its replica, and
checkpoints in the S3 of dev/s3.sh. Instances are killed, suspended, stopped and started again; the replica takes over
from its master, or Redis does not answer; the checkpoint store hangs. Producers send late, malformed, misplaced and
keyless records. In the end Redis must hold exactly the rows of a run without faults, each with a TTL, and every refused
record must be a dead letter.

The printed seed repeats the records and the faults, each at its time. It does not repeat what the processes are doing at
that time. Without --kafka (or WINDROW_TEST_KAFKA) and --s3 (or WINDROW_TEST_S3), it starts servers and stops them at the
end. Needs redis-server.
EOT
}

MINUTES=10 SEED=$RANDOM KAFKA=${WINDROW_TEST_KAFKA:-} S3=${WINDROW_TEST_S3:-}
while (($# > 0)); do
    case $1 in
        --minutes) MINUTES=${2:?--minutes needs a number}; shift ;;
        --seed) SEED=${2:?--seed needs a number}; shift ;;
        --kafka) KAFKA=${2:?--kafka needs HOST:PORT}; shift ;;
        --s3) S3=${2:?--s3 needs a URL}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

# shellcheck source=dev/lib/port.sh
source dev/lib/port.sh
DIR=$(mktemp -d "${TMPDIR:-/tmp}/windrow-chaos.XXXXXX")
finish() {
    dev/kafka.sh stop --dir "$DIR/kafka"
    dev/s3.sh stop --dir "$DIR/s3"
    rm -rf -- "$DIR"
}
trap finish EXIT
if [[ -z $KAFKA ]]; then
    PORT=$(port_free)
    dev/kafka.sh start --port "$PORT" --dir "$DIR/kafka"
    KAFKA=localhost:$PORT
fi
if [[ -z $S3 ]]; then
    PORT=$(port_free)
    dev/s3.sh start --port "$PORT" --dir "$DIR/s3"
    S3=http://localhost:$PORT
fi

WINDROW_TEST_KAFKA=$KAFKA WINDROW_TEST_S3=$S3 WINDROW_CHAOS_MINUTES=$MINUTES WINDROW_SEED=$SEED \
    cargo test --locked -p windrow --test end_to_end -- --nocapture chaos::
