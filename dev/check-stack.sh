#!/usr/bin/env bash
# Checks the first steps of a new user: ./start.sh, rows in Redis, ./start.sh again, the notebooks, a restart, ./stop.sh.
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
           WINDROW_UI_PORT=PORT WINDROW_KAFKA_UI_PORT=PORT [WINDROW_BIN=PATH] \
           dev/check-stack.sh [--python PYTHON] [--browser]

Runs a separate stack with these settings, prints a line `ok …` or `FAILED …` per check, and stops the stack.

  --python PYTHON   also execute the notebooks, with this interpreter (producer/requirements.txt installed)
  --browser         also open all pages in Chromium (needs npm ci in tests/browser)
EOF
}

PYTHON='' BROWSER=0
while (($#)); do
    case $1 in
        --python) PYTHON=${2:?--python needs an interpreter}; shift 2 ;;
        --browser) BROWSER=1; shift ;;
        -h | --help) usage; exit 0 ;;
        *) say_error "unknown argument: $1"; usage >&2; exit 2 ;;
    esac
done
# Without it the checks would run on the developer's own stack.
[[ -n ${WINDROW_HOME:-} ]] || { say_error 'WINDROW_HOME is not set'; usage >&2; exit 2; }

FAILURES=0
# check NAME COMMAND…: prints whether the command succeeded.
check() {
    local name=$1
    shift
    if "$@"; then
        echo "ok $name"
    else
        echo "FAILED $name"
        FAILURES=$((FAILURES + 1))
    fi
}

redis() { redis-cli -p "$REDIS_PORT" "$@"; }

# one_key PATTERN: prints a key that matches. Waits up to 30 s: start.sh waits for a row of one view only.
one_key() {
    local keys _
    for _ in {1..60}; do
        keys=$(redis --scan --pattern "$1")
        [[ -z $keys ]] || { head -n 1 <<<"$keys"; return; }
        sleep 0.5
    done
    return 1
}

# row_is PATTERN MOST_TTL FIELD…: checks that a row has exactly these fields and a TTL of 1 to MOST_TTL seconds.
row_is() {
    local key ttl fields wanted most=$2
    key=$(one_key "$1") || { echo "no key $1"; return 1; }
    shift 2
    fields=$(redis hkeys "$key" | sort)
    wanted=$(printf '%s\n' "$@" | sort)
    ttl=$(redis ttl "$key")
    [[ $fields == "$wanted" ]] && ((ttl >= 1 && ttl <= most)) && return
    redis hgetall "$key"
    echo "$key: TTL $ttl"
    return 1
}

pids() { cat "$JOB_PID" "$SAMPLE_PID" "$KAFKA_UI_PID" "$KAFKA_DIR/kafka.pid" "$REDIS_DIR/redis.pid" 2>/dev/null; }

# answers PORT PATH TEXT: checks that a web server answers 200 with TEXT in its answer.
answers() {
    local answer
    answer=$(http_get "$1" "$2") || { echo "no answer on port $1"; return 1; }
    [[ $answer == 'HTTP/1.'?' 200 '* && $answer == *"$3"* ]] && return
    head -c 2000 <<<"$answer"
    return 1
}

second_start_changes_nothing() {
    local before
    before=$(pids)
    ./start.sh --native && [[ $(pids) == "$before" ]]
}

stop_leaves_nothing() {
    local line pid born left=0
    local -a started
    mapfile -t started < <(pids)
    ((${#started[@]} >= 2)) || { echo 'nothing was running'; return 1; }
    ./stop.sh || return 1
    for line in "${started[@]}"; do
        read -r pid born <<<"$line"
        [[ $(process_born "$pid" || true) != "$born" ]] || { echo "still there: $pid"; left=1; }
    done
    return "$left"
}

# send ARGUMENT…: sends generated events to the stack's Kafka.
send() { "$WINDROW" generate --to kafka --pipeline "$PIPELINE" "${SETTINGS[@]}" "$@"; }

at() { date -u -d "$1" +%FT%TZ; }

# Sends 30 events of a session before ./stop.sh and 20 after the next ./start.sh, and waits for one session of 50. Their
# times are so far ahead that the session holds no other events.
continues_after_restart() {
    local now key _
    now=$(date -u +%FT%TZ)
    send --users 1 --count 30 --backlog 20m --now "$(at "$now + 3 hours")" || return 1
    ./stop.sh || return 1
    ./start.sh --native --no-sample || return 1
    grep -q ' restored ' "$JOB_LOG" || { echo 'no checkpoint was restored'; return 1; }
    send --users 1 --count 20 --backlog 9m --now "$(at "$now + 3 hours 10 minutes")" --seed 2 || return 1
    send --count 200 --now "$(at "$now + 6 hours")" || return 1
    for _ in {1..60}; do
        while read -r key; do
            [[ -z $key || $(redis hget "$key" event_count) != 50 ]] || return 0
        done < <(redis --scan --pattern 'session_features:u1:*')
        sleep 0.5
    done
    echo 'no session of 50 events'
    return 1
}

# The spec reporter: lines of TAP would look like this script's own.
pages_in_a_browser() {
    # Not the job's topic: the walk sends records without a key, which the job would refuse.
    dev/kafka.sh topic --port "$KAFKA_PORT" --name kafka-ui-walk --partitions 3 || return 1
    send --set source.kafka.topic=kafka-ui-walk --users 50 --count 500 --backlog 1h || return 1
    WINDROW_UI_URL=http://127.0.0.1:$UI_PORT KAFKA_UI_URL=http://127.0.0.1:$KAFKA_UI_PORT \
        KAFKA_UI_TOPIC=kafka-ui-walk WINDROW_REDIS=localhost:$REDIS_PORT \
        node --test --test-reporter=spec --test-concurrency=1 tests/browser/stack.test.mjs tests/browser/kafka.test.mjs
}

trap './stop.sh --delete-data >/dev/null 2>&1 || true' EXIT
trap 'exit 130' INT TERM

check 'start.sh succeeds' ./start.sh --native
# Without a stack all other checks would fail slowly.
((FAILURES == 0)) || exit 1
check 'user_features row in Redis' row_is 'user_features:*' 7200 \
    user_id view_count_1h cart_count_1h purchase_count_1h avg_viewed_price_1h
check 'session_features row in Redis' row_is 'session_features:*:*' 3600 user_id event_count duration_seconds
check 'the web UI answers' answers "$UI_PORT" /healthz ''
if [[ $(stack_mode) == native ]]; then
    check 'the Kafka UI answers' answers "$KAFKA_UI_PORT" "/api/topics/$TOPIC" "\"partitions\":$PARTITIONS"
    check 'the Kafka UI shows records' answers "$KAFKA_UI_PORT" "/api/topics/$TOPIC/messages?limit=1" event_time
fi
check 'start.sh again is harmless' second_start_changes_nothing
if ((BROWSER)) && [[ $(stack_mode) == native ]]; then
    check 'every page of the running stack, in a browser' pages_in_a_browser
fi
if [[ -n $PYTHON ]]; then
    code=0
    "$PYTHON" producer/run_notebooks.py producer/notebooks/*.ipynb || code=$?
    FAILURES=$((FAILURES + code))
fi
check 'the job still runs' running_job
check 'stop.sh, start.sh: the job continues from its checkpoint' continues_after_restart
check 'stop.sh leaves no process' stop_leaves_nothing
check 'stop.sh again is harmless' ./stop.sh
exit $((FAILURES > 0))
