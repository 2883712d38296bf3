#!/usr/bin/env bash
# Runs a Redis server for development and tests with its own port and folder, separate from the system's Redis.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/say.sh
source "$HERE/lib/say.sh"
# shellcheck source=lib/process.sh
source "$HERE/lib/process.sh"
# shellcheck source=lib/port.sh
source "$HERE/lib/port.sh"

usage() {
    cat <<'EOF'
usage: dev/redis.sh start --port PORT --dir DIR   start, wait until it answers (harmless when it runs already)
       dev/redis.sh stop  --dir DIR               stop what `start` started in DIR (harmless when nothing runs)

Redis listens on 127.0.0.1. `stop` saves the rows with their remaining TTL, and the next start in the same DIR loads them.
Delete DIR to start empty.
EOF
}

PORT='' DIR=''
parse() {
    while (($#)); do
        case $1 in
            --port) PORT=${2:?--port needs a number}; shift 2 ;;
            --dir) DIR=${2:?--dir needs a folder}; shift 2 ;;
            *) say_error "unknown argument: $1"; usage >&2; exit 2 ;;
        esac
    done
    [[ -n $DIR ]] || { say_error '--dir is missing'; exit 2; }
}

start() {
    [[ -n $PORT ]] || { say_error '--port is missing'; exit 2; }
    mkdir -p "$DIR"
    DIR=$(cd "$DIR" && pwd)
    local pidfile=$DIR/redis.pid log=$DIR/redis.log
    if process_alive "$pidfile"; then
        redis_answers "$PORT" && { echo "Redis already running on localhost:$PORT"; return 0; }
        say_error "the Redis of $DIR runs, but not on port $PORT"
        say_hint "stop it first: dev/redis.sh stop --dir $DIR"
        return 1
    fi
    command -v redis-server >/dev/null || { say_error 'redis-server is not installed'; return 1; }
    if port_open "$PORT"; then
        say_error "port $PORT is in use by another program"
        return 1
    fi
    : >"$log"
    echo "$PORT" >"$DIR/redis.port"
    process_start "$pidfile" "$log" \
        redis-server --port "$PORT" --bind 127.0.0.1 --dir "$DIR" --dbfilename rows.rdb \
        --save '900 1' --appendonly no --daemonize no
    local tries=100
    until redis_answers "$PORT"; do
        if ! process_alive "$pidfile" || ((--tries == 0)); then
            say_error "Redis did not start on port $PORT"
            say_log_end "$log"
            process_stop "$pidfile" 2 || true
            return 1
        fi
        sleep 0.1
    done
    echo "Redis ready on localhost:$PORT"
}

stop() {
    local pidfile=$DIR/redis.pid
    if process_alive "$pidfile" && [[ -r $DIR/redis.port ]]; then
        timeout 20 redis-cli -p "$(<"$DIR/redis.port")" save >/dev/null 2>&1 || say_warn 'Redis could not save its rows'
    fi
    process_stop "$pidfile" || { say_error "the Redis of $DIR does not stop"; return 1; }
}

case ${1:-} in
    start | stop) command=$1; shift; parse "$@"; "$command" ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
