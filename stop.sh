#!/usr/bin/env bash
# Stops what ./start.sh started, and no other process.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT"
# shellcheck source=dev/lib/say.sh
source dev/lib/say.sh
# shellcheck source=dev/lib/process.sh
source dev/lib/process.sh
# shellcheck source=dev/lib/port.sh
source dev/lib/port.sh
# shellcheck source=dev/lib/stack.sh
source dev/lib/stack.sh

usage() {
    cat <<'EOF'
usage: ./stop.sh [--delete-data]

Stops what ./start.sh started: sample traffic, windrow (which first writes the rows of all records it has read), Kafka UI,
Kafka, Redis. A Kafka or Redis that ran before keeps running. Safe to run twice.

  --delete-data   also delete the topic, the rows, the checkpoints and the logs of the stack
                  (the fetched Kafka jars and the built binary stay)
EOF
}

DELETE_DATA=0
for argument; do
    case $argument in
        --delete-data) DELETE_DATA=1 ;;
        -h | --help) usage; exit 0 ;;
        *) say_error "unknown argument: $argument"; usage >&2; exit 2 ;;
    esac
done

stop_native() {
    local part failed=0
    for part in "${STOP_ORDER[@]}"; do
        "running_$part" || continue
        say_part "stopping $(part_name "$part")"
        if "stop_$part"; then echo ' ✓'; else echo ' ✗'; failed=1; fi
        STOPPED=1
    done
    return "$failed"
}

say_part() { printf '%s …' "$1"; }

stop_docker() {
    local options=(--remove-orphans)
    ((DELETE_DATA == 0)) || options+=(--volumes)
    compose --profile sample down "${options[@]}"
    STOPPED=1
}

delete_data() {
    local name
    [[ ! -d $KAFKA_DIR ]] || find "$KAFKA_DIR" -mindepth 1 -maxdepth 1 ! -name 'libs*' -exec rm -rf {} +
    for name in redis checkpoints servers {windrow,generate,kafka-ui}.{pid,log,log.old} step.log; do
        rm -rf -- "${STACK_HOME:?}/$name"
    done
    echo "data in $STACK_HOME deleted"
}

STOPPED=0
[[ $(stack_mode) != docker ]] || stop_docker
stop_native
rm -f -- "$MODE_FILE"
((STOPPED)) && echo 'stopped' || echo 'nothing started by ./start.sh is running'
((DELETE_DATA == 0)) || delete_data
