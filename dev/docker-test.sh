#!/usr/bin/env bash
# Checks ./start.sh and ./stop.sh with Docker, and the image that the Dockerfile makes.
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
# shellcheck source=dev/lib/java.sh
source dev/lib/java.sh
# shellcheck source=dev/lib/install.sh
source dev/lib/install.sh
# shellcheck source=dev/lib/engine.sh
source dev/lib/engine.sh
# shellcheck source=dev/lib/standins.sh
source dev/lib/standins.sh

usage() {
    cat <<'EOF_USAGE'
usage: dev/docker-test.sh [--real-images]

Copies the project, builds its Dockerfile and runs ./start.sh with Docker in the copy: rows in Redis, the image's user
and health check, a crash, Ctrl-C, ./stop.sh, a second start that continues from the checkpoints, ./stop.sh --delete-data.
Prints a line `ok …` or `FAILED …` for each check and removes everything that it made.

By default it needs no image registry: it starts a Docker engine of its own, in a temporary folder, and makes the base images
of Debian's packages, this machine's Rust toolchain and Kafka's jars. That needs root, and no other Docker engine.

  --real-images   use the Docker engine that runs here, which fetches the real images
exit codes: 0 all checks passed, 1 a check failed, 2 wrong arguments, 3 Docker cannot be had here
EOF_USAGE
}

REAL_IMAGES=0
for argument; do
    case $argument in
        --real-images) REAL_IMAGES=1 ;;
        -h | --help) usage; exit 0 ;;
        *) say_error "unknown argument: $argument"; usage >&2; exit 2 ;;
    esac
done

TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-docker.XXXXXX")
CLONE=$TEMP/windrow
CACHE=$ROOT/.windrow/docker
FAILURES=0
# The name keeps this stack apart from the developer's own, and its volumes too.
export COMPOSE_PROJECT_NAME=windrow-docker-test
unset WINDROW_HOME WINDROW_BIN WINDROW_TOKEN WINDROW_FEATURES_WAIT COMPOSE_FILE COMPOSE_PROFILES

compose() { docker compose --project-directory "$CLONE" --profile sample "$@"; }
containers() { docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"; }
container() { compose ps --all --quiet "$1"; }
redis() { docker exec redis redis-cli "$@"; }
start() { (cd "$CLONE" && ./start.sh); }
stop() { (cd "$CLONE" && ./stop.sh "$@"); }

finish() {
    local code=$?
    trap - EXIT INT TERM
    [[ ! -e $CLONE/stop.sh ]] || ! docker version >/dev/null 2>&1 || stop --delete-data >/dev/null 2>&1 || true
    engine_stop
    rm -rf -- "$TEMP"
    exit "$code"
}

# check NAME COMMAND…: prints whether the command succeeded, and its output if not.
check() {
    local name=$1 began=$SECONDS
    shift
    if "$@" >"$TEMP/check.log" 2>&1; then
        echo "ok $name ($((SECONDS - began)) s)"
    else
        echo "FAILED $name"
        say_log_end "$TEMP/check.log" 40
        FAILURES=$((FAILURES + 1))
    fi
}

# within SECONDS COMMAND…: repeats the command until it succeeds; fails after SECONDS.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

# cannot REASON HINT: ends the script, because Docker cannot be had here.
cannot() {
    say_error "$1"
    say_hint "$2"
    exit 3
}

prepare_engine() {
    if ((REAL_IMAGES)); then
        docker version >/dev/null 2>&1 || cannot 'no Docker engine answers' 'start it, or run this as root without --real-images'
        ! docker container inspect redis >/dev/null 2>&1 || cannot 'a container named redis exists' 'run ./stop.sh first'
        return
    fi
    ! docker version >/dev/null 2>&1 || cannot 'a Docker engine runs here already' 'use it: dev/docker-test.sh --real-images'
    ((EUID == 0)) || cannot 'a Docker engine needs root' 'run this as root, or start Docker and use --real-images'
    need_engine
    need_kafka
    install_missing "$TEMP/install.log" || exit 3
    engine_start "$TEMP/engine" || exit 3
}

# Copies the files that git knows or would add, as a clone has them.
copy_project() {
    mkdir "$CLONE"
    git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -c | tar -C "$CLONE" -x
}

choose_ports() {
    local kafka redis ui kafka_ui
    { read -r kafka && read -r redis && read -r ui && read -r kafka_ui; } < <(ports_free 4)
    export WINDROW_KAFKA_PORT=$kafka WINDROW_REDIS_PORT=$redis WINDROW_UI_PORT=$ui WINDROW_KAFKA_UI_PORT=$kafka_ui
}

# status PATH [HEADER]: prints the HTTP status of the job's page as this machine sees it.
status() {
    local line
    exec 3<>"/dev/tcp/127.0.0.1/$WINDROW_UI_PORT" || return
    printf 'GET %s HTTP/1.0\r\nHost: localhost:%s\r\n%b\r\n' "$1" "$WINDROW_UI_PORT" "${2:+$2\\r\\n}" >&3
    read -r -t 20 line <&3 || line=''
    exec 3>&-
    read -r _ line _ <<<"$line"
    echo "$line"
}

start_ends_with_rows() {
    start || return
    [[ -n $(redis --scan --pattern 'user_features:*' | head -n 1) ]]
}

health() { docker inspect --format '{{.State.Health.Status}}' "$(container windrow)"; }
is_healthy() { [[ $(health) == healthy ]]; }

pages_ask_for_the_token() {
    local token
    token=$(<"$CLONE/.windrow/token")
    [[ $(status /api/overview) == 401 && $(status /api/overview "Authorization: Bearer $token") == 200 ]]
}

image_is_small_and_unprivileged() {
    local user size title
    user=$(docker inspect --format '{{.Config.User}}' windrow)
    size=$(docker inspect --format '{{.Size}}' windrow)
    title=$(docker inspect --format '{{index .Config.Labels "org.opencontainers.image.title"}}' windrow)
    echo "user $user, $((size / 1000000)) MB, title $title"
    [[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ && $title == Windrow ]] && ((size < 400000000))
}

# The root file system is read-only here; without that, the user's rights decide.
writes_only_below_data() {
    local path
    for path in /tmp /opt/windrow /usr/local/bin /etc; do
        ! compose exec -T windrow sh -c "touch $path/written 2>/dev/null" || { echo "$path is writable"; return 1; }
    done
    for path in /opt/windrow /usr/local/bin /etc /; do
        ! docker run --rm --entrypoint sh windrow -c "touch $path/written 2>/dev/null" || { echo "$path is writable"; return 1; }
    done
    compose exec -T windrow sh -c 'touch /data/written && rm /data/written'
}

# metric NAME: prints the sum of a metric over its labels, and the number of its series.
metric() {
    local token
    token=$(<"$CLONE/.windrow/token")
    exec 3<>"/dev/tcp/127.0.0.1/$WINDROW_UI_PORT" || return
    printf 'GET /metrics HTTP/1.0\r\nHost: localhost:%s\r\nAuthorization: Bearer %s\r\n\r\n' "$WINDROW_UI_PORT" "$token" >&3
    timeout 20 cat <&3 | awk -v name="$1" '$1 ~ "^" name "({|$)" { sum += $2; count++ } END { printf "%d %d\n", sum, count }'
    exec 3>&-
}

# The job owns all partitions and has read what they hold, but for the last seconds of the sample.
has_caught_up() {
    local lag partitions
    read -r lag partitions < <(metric windrow_partition_lag_records) && ((partitions == 4 && lag < 200))
}

# Kills the job's process from outside, as the kernel would for lack of memory. The consumer group keeps the partitions for
# the dead member until its session times out, 45 s.
restarts_after_a_crash() {
    local id pid
    id=$(container windrow)
    pid=$(docker inspect --format '{{.State.Pid}}' "$id")
    docker run --rm --pid host --user 0 --entrypoint sh windrow -c "kill -KILL $pid" || return
    within 60 restarted "$id" && within 60 is_healthy && within 180 has_caught_up
}

restarted() { [[ $(docker inspect --format '{{.RestartCount}} {{.State.Running}}' "$1") == '1 true' ]]; }

second_start_changes_nothing() {
    local before
    before=$(containers | sort)
    start && [[ $(containers | sort) == "$before" ]]
}

no_container_left() { [[ -z $(containers) ]]; }
stop_leaves_no_container() { stop && no_container_left && [[ ! -e $CLONE/.windrow/mode ]]; }

# restored_offsets: prints the offsets at which the job's partitions continued, one a line.
restored_offsets() {
    compose logs --no-color --no-log-prefix windrow |
        sed -n 's/\x1b\[[0-9;]*m//g; s/.*partition restored from a checkpoint.* offset=\([0-9]*\).*/\1/p'
}

# All four partitions continue from their checkpoints, far from the topic's beginning.
continues_from_the_checkpoints() {
    local offsets offset
    within 60 all_restored || { compose logs --tail 40 windrow; return 1; }
    mapfile -t offsets < <(restored_offsets)
    echo "restored at ${offsets[*]}"
    for offset in "${offsets[@]}"; do ((offset > 1000)) || return 1; done
}

all_restored() { (($(restored_offsets | wc -l) == 4)); }

# The sample of a second start continues where the first one ended, so few of its events are late.
few_events_are_late() {
    local read late
    within 60 has_read_events || return
    read -r read _ < <(metric windrow_worker_records_total)
    read -r late _ < <(metric windrow_feature_view_late_events_total)
    echo "$late of $read events were late"
    ((late * 20 <= read))
}

has_read_events() { local read; read -r read _ < <(metric windrow_worker_records_total) && ((read > 100)); }

# interrupted_at REGEX: presses Ctrl-C after ./start.sh has printed such a line; nothing may stay half-running.
interrupted_at() {
    local pid code=0 tries=6000 log=$TEMP/start.log
    # With job control the background process has its own group, and does not ignore SIGINT.
    set -m
    start >"$log" 2>&1 & pid=$!
    set +m
    until grep -qE -- "$1" "$log" || ((--tries == 0)) || ! kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    sleep 0.5
    kill -INT -- "-$pid" 2>/dev/null || true
    wait "$pid" || code=$?
    grep -qE -- "$1" "$log" && ((code == 130)) && no_container_left && [[ ! -e $CLONE/.windrow/mode ]] && return
    tail -n 20 -- "$log"
    echo "exit code $code (130 expected) after the line $1; $(containers | wc -l) containers left"
    return 1
}

deletes_all_data() {
    stop --delete-data && no_container_left &&
        [[ -z $(docker volume ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME") ]] &&
        [[ -z $(docker network ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME") ]]
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

prepare_engine
check 'Docker Compose' compose_plugin "$CACHE"
copy_project
if ((REAL_IMAGES == 0)); then
    check 'stand-ins for the base images' standins_make "$TEMP/standins" "$CACHE"
    check "this machine's crates in the build's cache" seed_cargo_registry "$TEMP/seed"
    rm -rf -- "$TEMP/standins" "$TEMP/seed"
fi
((FAILURES == 0)) || exit 1
choose_ports
check 'docker-compose.yml is valid' compose config --quiet
check 'Ctrl-C while start.sh builds' interrupted_at 'load build definition'
check 'start.sh ends with rows in Redis' start_ends_with_rows
# Without a stack all other checks would fail slowly.
((FAILURES == 0)) || exit 1
check 'the container is healthy' within 60 is_healthy
check 'the pages ask for the token of start.sh' pages_ask_for_the_token
check 'the image is small and runs as a numeric user' image_is_small_and_unprivileged
check 'the container writes only below /data' writes_only_below_data
check 'start.sh again is harmless' second_start_changes_nothing
check 'a crash restarts the job' restarts_after_a_crash
check 'stop.sh leaves no container' stop_leaves_no_container
check 'Ctrl-C while start.sh waits for the services' interrupted_at 'Container .* Waiting'
check 'a second start succeeds' start
check 'the job continues from its checkpoints' continues_from_the_checkpoints
check 'the second start brings few late events' few_events_are_late
check 'stop.sh --delete-data leaves no volume' deletes_all_data
exit $((FAILURES > 0))
