#!/usr/bin/env bash
# Checks how ./start.sh fails: with a sentence that names the thing and the way out, with an exit code, and without leaving
# a process, a lock or a file that breaks the next run.
# shellcheck source-path=SCRIPTDIR/..
# shellcheck disable=SC2317 # the checks are called through check()
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
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
usage: WINDROW_HOME=DIR WINDROW_KAFKA_PORT=PORT WINDROW_REDIS_PORT=PORT \
           WINDROW_UI_PORT=PORT WINDROW_KAFKA_UI_PORT=PORT WINDROW_BIN=PATH \
           dev/check-failures.sh

Runs ./start.sh with these settings under one failure after the other, and prints a line `ok …` or `FAILED …` per check.
dev/check-stack.sh with the same settings then shows that the next start succeeds.
EOF
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) say_error "unknown argument: $1"; usage >&2; exit 2 ;;
esac
# Without it the checks would run on the developer's own stack.
[[ -n ${WINDROW_HOME:-} && -n ${WINDROW_BIN:-} ]] || { say_error 'WINDROW_HOME or WINDROW_BIN is not set'; exit 2; }

TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-failures.XXXXXX")
LOG=$TEMP/start.log
FAILURES=0
OTHER_PIDS=()

finish() {
    local pid
    for pid in "${OTHER_PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    ! mountpoint -q "$TEMP/small" || umount "$TEMP/small"
    rm -rf -- "$TEMP"
}
trap finish EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND…: prints whether the command succeeded, and otherwise what ./start.sh said.
check() {
    local name=$1
    shift
    if "$@"; then
        echo "ok $name"
    else
        sed 's/^/   │ /' "$LOG"
        echo "FAILED $name"
        FAILURES=$((FAILURES + 1))
    fi
}

# fails_with TEXT COMMAND…: checks that the command fails, says TEXT on one line, and leaves nothing.
fails_with() {
    local text=$1
    shift
    if "$@" >"$LOG" 2>&1; then echo 'it succeeded'; return 1; fi
    grep -qF -- "$text" "$LOG" || { echo "it does not say: $text"; return 1; }
    nothing_is_left
}

nothing_is_left() {
    local part left=0
    for part in "${STOP_ORDER[@]}"; do
        ! "running_$part" || { echo "still running: $part"; left=1; }
    done
    if pgrep -f -- "$STACK_HOME/" >/dev/null; then echo 'still running:'; pgrep -af -- "$STACK_HOME/"; left=1; fi
    [[ ! -e $STACK_HOME/start.lock ]] || flock --nonblock "$STACK_HOME/start.lock" true || { echo 'still locked'; left=1; }
    [[ ! -e $MODE_FILE ]] || { echo "$MODE_FILE is left"; left=1; }
    return "$left"
}

# other_program PORT COMMAND…: starts a program that listens on PORT, and waits for it.
other_program() {
    local port=$1 tries=100
    shift
    "$@" >/dev/null 2>&1 &
    OTHER_PIDS+=("$!")
    until port_open "$port" || ((--tries == 0)); do sleep 0.1; done
}

# without_program NAME COMMAND…: runs the command with a PATH that lacks a program, as a user without root if this is root.
without_program() {
    local name=$1 user=()
    shift
    cp -rs /usr/bin "$TEMP/bin"
    rm -f -- "$TEMP/bin/$name"
    mkdir -p "$TEMP/home"
    if ((EUID == 0)); then
        chmod 755 "$TEMP"
        chown 65534 "$TEMP/home"
        user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    fi
    "${user[@]}" env PATH="$TEMP/bin" HOME="$TEMP/home" TMPDIR="$TEMP/home" WINDROW_HOME="$TEMP/home/stack" "$@"
}

# interrupted_at HEADING: checks that Ctrl-C after this heading ends ./start.sh with 130 and leaves nothing.
interrupted_at() {
    local pid code=0 tries=900
    # With job control the background process gets a process group of its own and does not ignore SIGINT.
    set -m
    ./start.sh --native >"$LOG" 2>&1 &
    pid=$!
    set +m
    until grep -qF "$1" "$LOG" || ((--tries == 0)) || ! kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    sleep 0.5
    kill -INT -- "-$pid"
    wait "$pid" || code=$?
    ((code == 130)) || { echo "exit code $code"; return 1; }
    grep -q 'start.sh ended at step' "$LOG" || { echo 'it does not say where it ended'; return 1; }
    nothing_is_left
}

START=(./start.sh --native)
if ((EUID != 0)) || setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$ROOT/start.sh"; then
    check 'without root, a missing program: the command that installs it' \
        fails_with 'sudo apt-get update && sudo apt-get install -y redis-server' without_program redis-server "${START[@]}"
fi
check 'a folder that cannot be written is named' \
    fails_with 'the folder /dev/null/stack cannot be written: Not a directory' env WINDROW_HOME=/dev/null/stack "${START[@]}"
mkdir "$TEMP/small"
if mount -t tmpfs -o size=1m windrow-small "$TEMP/small" 2>/dev/null; then
    check 'a full disk is named' \
        fails_with "the disk of $TEMP/small/stack is full" env WINDROW_HOME="$TEMP/small/stack" "${START[@]}"
    check 'a full disk for temporary files is named' \
        fails_with "the disk of $TEMP/small is full" env TMPDIR="$TEMP/small" "${START[@]}"
fi
check 'a WINDROW_BIN that is no program is named' fails_with 'is not a program' env WINDROW_BIN=/dev/null "${START[@]}"

{ read -r other && read -r with_password; } < <(ports_free 2)
other_program "$other" python3 -m http.server --bind 127.0.0.1 --directory "$TEMP/small" "$other"
other_program "$with_password" redis-server --port "$with_password" --requirepass secret --save '' --dir "$TEMP"
check 'the port of Redis in use by another program' \
    fails_with "port $other is in use by another program, which is not Redis" env WINDROW_REDIS_PORT="$other" "${START[@]}"
check 'the port of Kafka in use by another program' \
    fails_with "port $other is in use by another program, which is not Kafka" env WINDROW_KAFKA_PORT="$other" "${START[@]}"
check 'a Redis with a password on the port' \
    fails_with "the Redis on port $with_password requires a password" env WINDROW_REDIS_PORT="$with_password" "${START[@]}"

check 'Ctrl-C while the servers start leaves nothing' interrupted_at '[3/8]'
check 'Ctrl-C while the job starts leaves nothing' interrupted_at '[7/8]'
exit $((FAILURES > 0))
