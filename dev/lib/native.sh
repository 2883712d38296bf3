# shellcheck shell=bash
# The steps of ./start.sh without Docker. Each runs once, in order, and prints its result.
#
# Owns: the native processes, and stopping them when a step fails. Uses every other file of dev/lib.

# The parts that this run started: a failed step stops exactly these.
STARTED=()
# The reason why Apache Kafka is not available; empty if it is available.
WITHOUT_KAFKA=''
STEP_LOG=$STACK_HOME/step.log

native_undo() {
    local part left=0
    for part in "${STOP_ORDER[@]}"; do
        "running_$part" || continue
        if [[ " ${STARTED[*]-} " == *" $part "* ]]; then
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
    need_redis
    [[ -n ${WINDROW_BIN:-} ]] || need_build_tools
    install_missing "$STEP_LOG" || return
    [[ -n ${WINDROW_BIN:-} ]] || find_rust "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" || return
    need_kafka
    if ! install_missing "$STEP_LOG"; then
        # Without root the user can run the command just printed. As root there is nothing left to try.
        ((EUID == 0)) || return 1
        WITHOUT_KAFKA='Java and Maven, which Apache Kafka needs, could not be installed'
    fi
    say_done 'all tools are installed'
}

native_binary() {
    say_step 'Build windrow'
    if [[ -n ${WINDROW_BIN:-} ]]; then
        [[ -x $WINDROW ]] || { say_error "WINDROW_BIN=$WINDROW is not a program"; return 1; }
        say_done "using $WINDROW"
        return
    fi
    [[ -x $WINDROW ]] || say_info 'the first build compiles every library: this takes some minutes'
    cargo build --locked -p windrow || { say_error 'the build failed (see above)'; return 1; }
    say_done "${WINDROW#"$ROOT"/}"
}

native_redis() {
    say_step "Redis on localhost:$REDIS_PORT"
    if ! running_redis && redis_answers "$REDIS_PORT"; then
        say_done 'already running: it is used, and ./stop.sh does not stop it'
        return
    fi
    running_redis || STARTED+=(redis)
    with_ticker 'starting Redis' "$STEP_LOG" dev/redis.sh start --port "$REDIS_PORT" --dir "$REDIS_DIR" || {
        cat "$STEP_LOG" >&2
        say_hint 'another port: WINDROW_REDIS_PORT=6380 ./start.sh'
        return 1
    }
    say_done "$(<"$STEP_LOG")"
}

native_kafka() {
    say_step "Kafka on localhost:$KAFKA_PORT"
    if ! running_kafka && kafka_answers "$KAFKA_PORT"; then
        say_done 'already running: it is used, and ./stop.sh does not stop it'
        return
    fi
    [[ -n $WITHOUT_KAFKA ]] || fetch_kafka
    if [[ -n $WITHOUT_KAFKA ]]; then
        say_warn "$WITHOUT_KAFKA."
        say_warn 'Windrow runs on its in-process development broker instead: same job, real Redis, no Kafka.'
        return
    fi
    running_kafka || STARTED+=(kafka)
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
    WITHOUT_KAFKA='Apache Kafka cannot be had: no container runs it here, and it could not be fetched from Maven Central'
}

native_topic() {
    say_step "Topic $TOPIC"
    if [[ -n $WITHOUT_KAFKA ]]; then
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
    STARTED+=(kafka_ui)
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
    STARTED+=(job)
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
        STARTED+=(sample)
        keep_old_log "$SAMPLE_LOG"
        local backlog=(--backlog 2h) result='two hours of events at once, then 20 events/s until ./stop.sh'
        if [[ -e $BACKLOG_MARK ]]; then
            backlog=() result='20 events/s until ./stop.sh (the backlog was sent before)'
        fi
        process_start "$SAMPLE_PID" "$SAMPLE_LOG" "$WINDROW" generate --to kafka "${backlog[@]}" --rate 20 --users 500 \
            --pipeline "$PIPELINE" "${SETTINGS[@]}"
        : >"$BACKLOG_MARK"
        say_done "$result"
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
    mkdir -p "$STACK_HOME"
    if [[ $(stack_mode) == demo ]] && running_job; then
        WITHOUT_KAFKA='Apache Kafka was not available when the job was started (./stop.sh, then ./start.sh, tries again)'
    fi
    [[ -n $(stack_mode) ]] || echo native >"$MODE_FILE"
    say_steps 8
    native_tools
    native_binary
    native_redis
    native_kafka
    native_topic
    native_kafka_ui
    native_job
    native_sample
    show_features "$WINDROW" features "${SETTINGS[@]}"
    native_summary
}
