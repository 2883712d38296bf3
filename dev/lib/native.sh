# shellcheck shell=bash
# The steps of ./start.sh without Docker. Each runs once, in order, and prints its result.
#
# Owns: the native processes, and stopping them when a step fails. Uses every other file of dev/lib. The functions
# native_packages, native_redis, native_kafka and native_topic run in the background process of servers.sh.

# The reason why Apache Kafka is not available; empty if it is available.
WITHOUT_KAFKA=''
STEP_LOG=$STACK_HOME/step.log

native_undo() {
    local part left=0
    for part in "${STOP_ORDER[@]}"; do
        "running_$part" || continue
        if part_was_started "$part"; then
            say_info "stopping $(part_name "$part") again"
            "stop_$part" || left=1
        else
            left=1
        fi
    done
    ((left)) || rm -f -- "$MODE_FILE"
}

native_tools() {
    say_step 'Tools'
    [[ -n ${WINDROW_BIN:-} ]] || need_build_tools
    # Without root the user installs everything. The message comes before the build, and names all packages.
    ((EUID == 0)) || { need_redis; need_kafka; }
    install_missing "$STEP_LOG" || return
    [[ -n ${WINDROW_BIN:-} ]] || find_rust "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" || return
    native_ports || return
    say_done 'all tools for the build are installed'
}

# native_ports: fails if another program than Redis or Kafka uses their ports, before the build takes minutes.
native_ports() {
    local answers
    if ! running_redis && port_open "$REDIS_PORT"; then
        answers=$(redis_reply "$REDIS_PORT")
        if [[ $answers == -NOAUTH* ]]; then
            say_error "the Redis on port $REDIS_PORT requires a password, so ./start.sh cannot use it"
            say_hint 'choose another port, on which ./start.sh starts its own Redis: WINDROW_REDIS_PORT=6380 ./start.sh'
            return 1
        elif ! redis_answers "$REDIS_PORT"; then
            say_error "port $REDIS_PORT is in use by another program, which is not Redis"
            say_hint 'stop that program, or choose another port: WINDROW_REDIS_PORT=6380 ./start.sh'
            return 1
        fi
    fi
    if ! running_kafka && port_open "$KAFKA_PORT" && ! kafka_answers "$KAFKA_PORT"; then
        say_error "port $KAFKA_PORT is in use by another program, which is not Kafka"
        say_hint 'stop that program, or choose another port: WINDROW_KAFKA_PORT=9192 ./start.sh'
        return 1
    fi
}

native_binary() {
    say_step 'Build windrow'
    if [[ -n ${WINDROW_BIN:-} ]]; then
        [[ -x $WINDROW ]] || { say_error "WINDROW_BIN=$WINDROW is not a program"; return 1; }
        say_done "using $WINDROW"
        return
    fi
    [[ -x $WINDROW ]] || say_info 'the first build compiles every library: this takes some minutes'
    say_info 'meanwhile Redis and Kafka are installed and started'
    native_build_space
    cargo build --locked -p windrow || { native_build_failed; return 1; }
    say_done "${WINDROW#"$ROOT"/}"
}

# native_build_space: warns before a first build if the disk has little space.
native_build_space() {
    local target=${CARGO_TARGET_DIR:-$ROOT/target} free
    free=$(disk_free_mb "$target")
    [[ -x $WINDROW || -z $free ]] || ((free >= 2000)) ||
        say_warn "the disk of $target has only $free MB free; a first build may need more (CARGO_TARGET_DIR=/folder)"
}

native_build_failed() {
    say_error 'the build failed (see above)'
    cargo fetch --locked --offline >/dev/null 2>&1 ||
        say_hint 'libraries are missing and could not be fetched: check that this machine reaches crates.io, then run ./start.sh again'
}

# native_packages: installs what the servers need.
native_packages() {
    need_redis
    install_missing "$STEP_LOG" || return
    need_kafka
    install_missing "$STEP_LOG" && return
    # Without root the user can run the command just printed. As root there is nothing left to try.
    ((EUID == 0)) || return 1
    without_kafka 'Java and Maven, which Apache Kafka needs, could not be installed' || true
}

native_redis() {
    if ! running_redis && redis_answers "$REDIS_PORT"; then
        say_done 'already running: it is used, and ./stop.sh does not stop it'
        return
    fi
    running_redis || part_started redis || return
    with_ticker 'starting Redis' "$STEP_LOG" dev/redis.sh start --port "$REDIS_PORT" --dir "$REDIS_DIR" || {
        cat "$STEP_LOG" >&2
        say_hint 'another port: WINDROW_REDIS_PORT=6380 ./start.sh'
        return 1
    }
    say_done "$(<"$STEP_LOG")"
}

native_kafka() {
    if ! running_kafka && kafka_answers "$KAFKA_PORT"; then
        say_done 'already running: it is used, and ./stop.sh does not stop it'
        return
    fi
    without_kafka || fetch_kafka
    if without_kafka; then
        say_warn "$WITHOUT_KAFKA."
        say_warn 'Windrow runs on its in-process development broker instead: same job, real Redis, no Kafka.'
        return
    fi
    running_kafka || part_started kafka || return
    with_ticker 'starting Kafka' "$STEP_LOG" dev/kafka.sh start --port "$KAFKA_PORT" --dir "$KAFKA_DIR" || {
        cat "$STEP_LOG" >&2
        say_hint 'another port: WINDROW_KAFKA_PORT=9192 ./start.sh'
        return 1
    }
    say_done "$(tail -n 1 "$STEP_LOG")"
}

fetch_kafka() {
    with_ticker "fetching Apache Kafka $(dev/kafka.sh version) from Maven Central (once)" "$STEP_LOG" \
        dev/kafka.sh fetch && return
    sed 's/^/      /' "$STEP_LOG" >&2
    without_kafka 'Apache Kafka cannot be had: no container runs it here, and it could not be fetched from Maven Central'
}

native_topic() {
    if without_kafka; then
        say_done 'the development broker creates it'
        return
    fi
    if ! with_ticker 'creating the topic' "$STEP_LOG" \
        dev/kafka.sh topic --port "$KAFKA_PORT" --name "$TOPIC" --partitions "$PARTITIONS"; then
        cat "$STEP_LOG" >&2
        # Another operator's broker may create topics by itself, or forbid it.
        running_kafka && return 1
        say_warn "the topic could not be checked: create it with $PARTITIONS partitions if it does not exist"
        return
    fi
    say_done "$(tail -n 1 "$STEP_LOG")"
    grep -q "with $PARTITIONS partitions" "$STEP_LOG" || say_warn "not the usual $PARTITIONS partitions; continuing"
}

native_kafka_ui() {
    say_step "Kafka UI on localhost:$KAFKA_UI_PORT"
    if [[ -n $WITHOUT_KAFKA ]]; then
        say_done 'none: there is no Kafka'
        return
    fi
    if running_kafka_ui; then
        say_done "already running (pid $(process_pid "$KAFKA_UI_PID"))"
        return
    fi
    if port_open "$KAFKA_UI_PORT"; then
        say_warn "another program uses port $KAFKA_UI_PORT: no Kafka UI"
        say_hint 'another port: WINDROW_KAFKA_UI_PORT=8180 ./start.sh'
        return
    fi
    part_started kafka_ui || return
    keep_old_log "$KAFKA_UI_LOG"
    process_start "$KAFKA_UI_PID" "$KAFKA_UI_LOG" \
        "$WINDROW" kafka-ui "$PIPELINE" "${SETTINGS[@]}" --listen "127.0.0.1:$KAFKA_UI_PORT"
    local _
    for _ in {1..100}; do
        ! port_open "$KAFKA_UI_PORT" || break
        running_kafka_ui || break
        sleep 0.1
    done
    # The job does not need the Kafka UI.
    if ! running_kafka_ui; then
        say_warn 'the Kafka UI ended; continuing without it'
        say_log_end "$KAFKA_UI_LOG"
        return
    fi
    say_done "http://localhost:$KAFKA_UI_PORT"
}

native_job() {
    say_step 'The job'
    if running_job; then
        say_done "already running (pid $(process_pid "$JOB_PID")); after a rebuild: ./stop.sh && ./start.sh"
        return
    fi
    part_started job || return
    keep_old_log "$JOB_LOG"
    if [[ -n $WITHOUT_KAFKA ]]; then
        echo demo >"$MODE_FILE"
        process_start "$JOB_PID" "$JOB_LOG" "$WINDROW" demo --redis "redis://localhost:$REDIS_PORT" --plain
    else
        local listen=127.0.0.1:$UI_PORT
        if port_open "$UI_PORT"; then
            say_warn "another program uses port $UI_PORT: the job runs without its web UI"
            say_hint 'another port: WINDROW_UI_PORT=8181 ./start.sh (after ./stop.sh)'
            listen=off
        fi
        process_start "$JOB_PID" "$JOB_LOG" "$WINDROW" run "$PIPELINE" "${SETTINGS[@]}" --listen "$listen"
    fi
    sleep 1
    job_lives || return
    say_done "running (pid $(process_pid "$JOB_PID"))"
}

job_lives() {
    running_job && return
    say_error 'windrow ended'
    say_log_end "$JOB_LOG"
    return 1
}

keep_old_log() { [[ ! -e $1 ]] || mv -f -- "$1" "$1.old"; }

native_sample() {
    say_step 'Sample traffic'
    if [[ -n $WITHOUT_KAFKA ]]; then
        say_done 'part of the development broker'
    elif ((SAMPLE == 0)); then
        say_done 'none (--no-sample)'
        return
    elif running_sample; then
        say_done "already flowing (pid $(process_pid "$SAMPLE_PID"))"
    else
        part_started sample || return
        keep_old_log "$SAMPLE_LOG"
        process_start "$SAMPLE_PID" "$SAMPLE_LOG" "$WINDROW" generate --to kafka --backlog 2h --rate 20 --users 500 \
            --pipeline "$PIPELINE" "${SETTINGS[@]}"
        say_done 'past events up to now at once, then 20 events/s until ./stop.sh'
    fi
    wait_for_features redis-cli -p "$REDIS_PORT"
}

# native_check: fails with the reason if features can no longer come. wait_for_features calls it.
native_check() {
    job_lives || return
    [[ -n $WITHOUT_KAFKA ]] || running_sample || {
        say_error 'the sample traffic ended'
        say_log_end "$SAMPLE_LOG"
        return 1
    }
}

native_summary() {
    local bin=${WINDROW#"$ROOT"/} settings=''
    [[ $REDIS_PORT == 6379 ]] || settings=" --set sink.redis.url=redis://localhost:$REDIS_PORT"
    echo
    printf '%sWindrow is running.%s\n' "$BOLD" "$PLAIN"
    if running_job && [[ -z $WITHOUT_KAFKA ]] && http_get "$UI_PORT" /healthz | grep -q '^HTTP/1.. 200'; then
        printf '  %-9s http://localhost:%s\n' 'web UI' "$UI_PORT"
    fi
    ! running_kafka_ui || printf '  %-9s http://localhost:%s\n' 'Kafka UI' "$KAFKA_UI_PORT"
    [[ -n $WITHOUT_KAFKA ]] || printf '  %-9s localhost:%-6s topic %s\n' Kafka "$KAFKA_PORT" "$TOPIC"
    printf '  %-9s localhost:%s\n' Redis "$REDIS_PORT"
    printf '  %-9s %s\n' logs "$STACK_HOME"
    printf '  %-9s %s\n' 'a user' "$bin features ${USER_SHOWN:-USER}$settings"
    printf '  %-9s %s\n' 'all keys' "redis-cli -p $REDIS_PORT keys '*'"
    printf '  %-9s %s\n' 'stop' './stop.sh   (--delete-data: also delete all data)'
    [[ -z $WITHOUT_KAFKA ]] || printf '  %s(on the development broker: %s)%s\n' "$YELLOW" "$WITHOUT_KAFKA" "$PLAIN"
}

native_start() {
    servers_prepare || return
    if [[ $(stack_mode) == demo ]] && running_job; then
        without_kafka 'Apache Kafka was not available when the job was started (./stop.sh, then ./start.sh, tries again)'
    fi
    [[ -n $(stack_mode) ]] || echo native >"$MODE_FILE"
    say_steps 8
    native_tools
    servers_begin
    native_binary
    say_step "Redis on localhost:$REDIS_PORT"
    servers_show packages 'installing what Redis and Kafka need'
    servers_show redis 'starting Redis'
    say_step "Kafka on localhost:$KAFKA_PORT"
    servers_show kafka 'fetching and starting Kafka'
    say_step "Topic $TOPIC"
    servers_show topic 'creating the topic'
    servers_end
    without_kafka || true
    native_kafka_ui
    native_job
    native_sample
    show_features "$WINDROW" features "${SETTINGS[@]}"
    native_summary
}
