#!/usr/bin/env bash
# Sets up the stack and runs the job: Kafka → windows → Redis.
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
# shellcheck source=dev/lib/java.sh
source dev/lib/java.sh
# shellcheck source=dev/lib/install.sh
source dev/lib/install.sh
# shellcheck source=dev/lib/stack.sh
source dev/lib/stack.sh
# shellcheck source=dev/lib/disk.sh
source dev/lib/disk.sh
# shellcheck source=dev/lib/servers.sh
source dev/lib/servers.sh
# shellcheck source=dev/lib/features.sh
source dev/lib/features.sh
# shellcheck source=dev/lib/native.sh
source dev/lib/native.sh
# shellcheck source=dev/lib/docker.sh
source dev/lib/docker.sh

usage() {
    cat <<'EOF'
usage: ./start.sh [--native] [--no-sample]

Sets up Kafka and Redis, builds windrow, runs the job of pipelines/ecommerce.toml, sends sample traffic and shows
the first features. With a running Docker engine all parts run in containers. Without one, or with --native, Redis
comes from the system's packages and Apache Kafka from Maven Central, in the folder .windrow/. A Kafka or Redis that
already answers on its port is used. A second run is harmless. ./stop.sh stops what this started.

  --native      no containers, even where Docker runs
  --no-sample   no sample traffic

environment:
  WINDROW_KAFKA_PORT, WINDROW_REDIS_PORT      other ports than 9092, 6379
  WINDROW_UI_PORT, WINDROW_KAFKA_UI_PORT      other ports than 8081 (the job's web UI), 8080 (Kafka UI)
  WINDROW_HOME    another folder than .windrow/ for data and logs
  WINDROW_BIN     a windrow binary to run instead of a build (native only)
EOF
}

NATIVE=0
SAMPLE=1
for argument; do
    case $argument in
        --native) NATIVE=1 ;;
        --no-sample) SAMPLE=0 ;;
        -h | --help) usage; exit 0 ;;
        *) say_error "unknown argument: $argument"; usage >&2; exit 2 ;;
    esac
done

# Stops what this run started if a step fails, so that no incomplete stack keeps running.
FINISHED=0
finish() {
    local code=$?
    trap - EXIT INT TERM
    ticker_stop
    if ((FINISHED == 0)); then
        ((code != 0)) || code=1
        # A second Ctrl-C must not end the clean-up halfway.
        trap '' INT TERM
        [[ -z $STEP_TITLE ]] || say_error "start.sh ended at step $STEP_NUMBER of $STEP_COUNT: $STEP_TITLE"
        servers_stop
        "$UNDO" || true
        disk_explain "$STACK_HOME" "${TMPDIR:-/tmp}" "${CARGO_TARGET_DIR:-$ROOT/target}"
    fi
    exit "$code"
}

folder_need "$STACK_HOME" WINDROW_HOME || exit 1
disk_need "$STACK_HOME" 100 WINDROW_HOME || exit 1
disk_need "${TMPDIR:-/tmp}" 20 TMPDIR || exit 1
# The lock lasts until this script and its background process (servers.sh) end. The servers do not inherit it.
exec 9>"$STACK_HOME/start.lock"
flock --nonblock 9 || { say_error 'another ./start.sh is running'; exit 1; }

if ((NATIVE == 0)) && docker_ready; then WAY=docker; else WAY=native; fi
case $(stack_mode)/$WAY in
    docker/native | native/docker | demo/docker)
        say_error "an earlier ./start.sh left a stack of another kind ($(stack_mode))"
        say_hint 'run ./stop.sh first'
        exit 1
        ;;
esac

CHECK=${WAY}_check
UNDO=${WAY}_undo
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"${WAY}_start"
FINISHED=1
