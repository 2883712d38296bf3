#!/usr/bin/env bash
# Measures the cost of `wait_replicas` and `wait_aof`: rows per second into a Redis with a replica, and CPU time per row.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'EOF'
usage: bench/redis_wait.sh [--rows N] [--rounds N] [--only MODE …] [--server REDIS_SERVER] [EXAMPLE …]

Writes N rows (200,000 by default) without a wait, with `wait_replicas = 1`, and with `wait_aof` under `appendfsync always`
and `everysec`; or only in the modes none, replicas, aof-always, aof-everysec that --only names. EXAMPLE is a built example
`redis_rate` of this or another version; several take turns in each round. Without one, the script builds it. `wait_aof` needs a server of Redis 7.2 or newer (--server); older ones are measured without it.
EOF
}

ROWS=200000 ROUNDS=3 SERVER=redis-server EXAMPLES=() MODES=()
while (($#)); do
    case $1 in
        --rows) ROWS=${2:?--rows needs a number}; shift 2 ;;
        --rounds) ROUNDS=${2:?--rounds needs a number}; shift 2 ;;
        --only) MODES+=("${2:?--only needs a mode}"); shift 2 ;;
        --server) SERVER=${2:?--server needs a program}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        -*) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
        *) EXAMPLES+=("$1"); shift ;;
    esac
done

if ((${#EXAMPLES[@]} == 0)); then
    (cd "$HERE/.." && cargo build --release -q -p windrow-connectors --example redis_rate)
    EXAMPLES=("${CARGO_TARGET_DIR:-$HERE/../target}/release/examples/redis_rate")
fi

DIR=$(mktemp -d)
SERVERS=()
# Ends the servers of this script and deletes their files.
finish() {
    ((${#SERVERS[@]} == 0)) || kill "${SERVERS[@]}" 2>/dev/null || true
    wait
    rm -rf "$DIR"
}
trap finish EXIT

PORT=$((20000 + RANDOM % 20000))
REPLICA_PORT=$((PORT + 1))

start_server() {
    local port=$1
    shift
    mkdir -p "$DIR/$port"
    "$SERVER" --port "$port" --bind 127.0.0.1 --dir "$DIR/$port" --save '' --daemonize no --loglevel warning \
        --repl-diskless-sync-delay 0 "$@" >"$DIR/$port/log" 2>&1 &
    SERVERS+=("$!")
    local tries=100
    until redis-cli -p "$port" ping >/dev/null 2>&1; do
        ((--tries > 0)) || { echo "no Redis on port $port" >&2; exit 1; }
        sleep 0.1
    done
}

start_server "$PORT" --appendonly yes
start_server "$REPLICA_PORT" --replicaof 127.0.0.1 "$PORT"
until redis-cli -p "$REPLICA_PORT" info replication | grep -q master_link_status:up; do sleep 0.1; done
HAS_WAITAOF=$(redis-cli -p "$PORT" command info waitaof | head -1)

# Measures a mode with each example: MODE, the policy of fsync, `wait_replicas`, and `aof` or `no`.
measure() {
    local mode=$1 policy=$2 replicas=$3 aof=$4 example
    ((${#MODES[@]} == 0)) || [[ " ${MODES[*]} " == *" $mode "* ]] || return 0
    redis-cli -p "$PORT" config set appendfsync "$policy" >/dev/null
    for example in "${EXAMPLES[@]}"; do
        echo "$mode, $(basename "$example"): $("$example" "redis://127.0.0.1:$PORT" "$ROWS" 20000 4 "$replicas" "$aof" |
            tr '\n' ';')"
    done
}

for ((round = 1; round <= ROUNDS; round++)); do
    echo "round $round"
    measure none everysec 0 no
    measure replicas everysec 1 no
    [[ -n $HAS_WAITAOF ]] || continue
    measure aof-always always 0 aof
    measure aof-everysec everysec 0 aof
done
