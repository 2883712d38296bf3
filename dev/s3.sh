#!/usr/bin/env bash
# Runs an S3 for tests: moto in memory, fetched once from PyPI. See dev/s3_server.py.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/say.sh
source "$HERE/lib/say.sh"
# shellcheck source=lib/process.sh
source "$HERE/lib/process.sh"
# shellcheck source=lib/port.sh
source "$HERE/lib/port.sh"
# shellcheck source=lib/venv.sh
source "$HERE/lib/venv.sh"

VENV=${WINDROW_S3_VENV:-$HERE/../.windrow/venv-s3}

usage() {
    cat <<'EOF'
usage: dev/s3.sh fetch                            fetch the Python packages (once; start does it too when needed)
       dev/s3.sh start --port PORT --dir DIR [--bucket NAME] [--faults SEED]
                                                  start, wait until it listens (harmless when it runs already);
                                                  --faults: random requests fail, chosen with that seed
       dev/s3.sh stop  --dir DIR                  stop what `start` started in DIR (harmless when nothing runs)

It listens on 127.0.0.1, accepts every credential, has one bucket (default: windrow) and loses all data when it stops.
To use it:  AWS_ENDPOINT_URL=http://localhost:PORT AWS_ALLOW_HTTP=true AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x

environment:
  WINDROW_S3_VENV   where the Python packages are (default: .windrow/venv-s3 of the project)
exit codes: 0 done, 1 failed, 2 wrong arguments, 3 the packages cannot be fetched
EOF
}

PORT='' DIR='' BUCKET=windrow FAULTS=''
parse() {
    while (($#)); do
        case $1 in
            --port) PORT=${2:?--port needs a number}; shift 2 ;;
            --dir) DIR=${2:?--dir needs a folder}; shift 2 ;;
            --bucket) BUCKET=${2:?--bucket needs a name}; shift 2 ;;
            --faults) FAULTS=${2:?--faults needs a seed}; shift 2 ;;
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

fetch() {
    local log reason
    log=$(mktemp)
    if ! venv_make "$VENV" "$HERE/requirements-s3.txt" >"$log" 2>&1; then
        reason=$(venv_reason "$log")
        say_error "moto, the S3 for tests, could not be fetched from PyPI$reason"
        [[ -n $reason ]] || grep -m 3 ERROR "$log" >&2 || tail -n 3 "$log" >&2
        rm -f "$log"
        return 3
    fi
    rm -f "$log"
}

start() {
    require PORT DIR
    mkdir -p "$DIR"
    DIR=$(cd "$DIR" && pwd)
    local pidfile=$DIR/s3.pid log=$DIR/s3.log tries=300
    local arguments=(--port "$PORT" --bucket "$BUCKET")
    if process_alive "$pidfile"; then
        port_open "$PORT" && { echo "S3 already running on localhost:$PORT"; return 0; }
        say_error "the S3 of $DIR runs, but not on port $PORT"
        say_hint "stop it first: dev/s3.sh stop --dir $DIR"
        return 1
    fi
    if port_open "$PORT"; then
        say_error "port $PORT is in use by another program"
        return 1
    fi
    fetch || return
    [[ -z $FAULTS ]] || arguments+=(--faults "$FAULTS")
    : >"$log"
    process_start "$pidfile" "$log" "$VENV/bin/python" "$HERE/s3_server.py" "${arguments[@]}"
    until port_open "$PORT"; do
        if ! process_alive "$pidfile" || ((--tries == 0)); then
            say_error "S3 did not start on port $PORT"
            say_log_end "$log"
            process_stop "$pidfile" 2 || true
            return 1
        fi
        sleep 0.1
    done
    echo "S3 ready on http://localhost:$PORT, bucket $BUCKET${FAULTS:+, faults with seed $FAULTS}"
}

stop() {
    require DIR
    process_stop "$DIR/s3.pid" || { say_error "the S3 of $DIR does not stop"; return 1; }
}

case ${1:-} in
    fetch | start | stop) command=$1; shift; parse "$@"; "$command" ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
