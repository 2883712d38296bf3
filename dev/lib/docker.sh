# shellcheck shell=bash
# The steps of ./start.sh with Docker: start the services, send sample traffic, wait for features in Redis.
#
# Owns: the calls; docker-compose.yml says what runs. Uses say.sh, stack.sh, features.sh.

docker_ready() {
    docker info >/dev/null 2>&1 || return
    docker compose version >/dev/null 2>&1 && return
    say_warn 'Docker runs here, but without its plugin Compose (docker compose): no containers are used'
    return 1
}

docker_up() { [[ -n $(compose ps --quiet --status running 2>/dev/null) ]]; }

# docker_ports: fails with advice if a port is in use; the error of compose would be hard to understand.
docker_ports() {
    local port
    docker_up && return
    for port in "$KAFKA_PORT" "$REDIS_PORT" "${WINDROW_KAFKA_UI_PORT:-8080}" "${WINDROW_UI_PORT:-8081}"; do
        port_open "$port" || continue
        say_error "port $port is in use by another program"
        say_hint "stop that program, or choose other ports (./start.sh --help), or use it: ./start.sh --native"
        return 1
    done
}

# docker_token: generates the token of the container's pages once.
docker_token() {
    [[ -s $STACK_HOME/token ]] ||
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$STACK_HOME/token") || return
    export WINDROW_TOKEN
    WINDROW_TOKEN=$(<"$STACK_HOME/token")
}

docker_services() {
    say_step 'Kafka, Redis, Kafka UI and windrow in containers'
    docker_ports || return
    docker_token || return
    docker_up || DOCKER_STARTED=1
    say_info 'the first time fetches the images and builds windrow: this takes some minutes'
    compose up --detach --build || { say_error 'docker compose failed (see above)'; compose logs --tail 20 >&2 || true; return 1; }
    say_done 'all services are up'
}

docker_sample() {
    say_step 'Sample traffic'
    if ((SAMPLE == 0)); then
        say_done 'none (--no-sample)'
        return
    fi
    if [[ -n $(compose --profile sample ps --quiet --status running generate) ]]; then
        say_done 'already flowing'
    else
        compose --profile sample up --detach generate || return
        say_done 'past events up to now at once, then 20 events/s until ./stop.sh'
    fi
    wait_for_features compose exec -T redis redis-cli
}

docker_check() {
    local service
    for service in windrow generate; do
        [[ -z $(compose --profile sample ps --quiet --status running "$service") ]] || continue
        say_error "the container of $service ended"
        compose --profile sample logs --tail 20 "$service" >&2
        return 1
    done
}

docker_undo() {
    if ((${DOCKER_STARTED:-0})); then
        say_info 'stopping the containers again'
        compose --profile sample down || true
    fi
    docker_up || rm -f -- "$MODE_FILE"
}

docker_summary() {
    echo
    printf '%sWindrow is running.%s\n' "$BOLD" "$PLAIN"
    printf '  %-9s localhost:%-6s topic %s\n' Kafka "$KAFKA_PORT" "$TOPIC"
    printf '  %-9s localhost:%s\n' Redis "$REDIS_PORT"
    printf '  %-9s http://localhost:%s\n' 'Kafka UI' "${WINDROW_KAFKA_UI_PORT:-8080}"
    printf '  %-9s http://localhost:%s/login#%s\n' 'web UI' "${WINDROW_UI_PORT:-8081}" "$(<"$STACK_HOME/token")"
    printf '  %-9s %s\n' 'logs' 'docker compose logs -f windrow'
    printf '  %-9s %s\n' 'a user' "docker compose exec windrow windrow features ${USER_SHOWN:-USER} --set sink.redis.url=redis://redis:6379"
    printf '  %-9s %s\n' 'all keys' 'docker exec -it redis redis-cli keys "*"'
    printf '  %-9s %s\n' 'stop' './stop.sh   (--delete-data: also delete all data)'
}

docker_start() {
    mkdir -p "$STACK_HOME"
    echo docker >"$MODE_FILE"
    say_steps 2
    docker_services
    docker_sample
    show_features compose exec -T windrow windrow features --set sink.redis.url=redis://redis:6379
    docker_summary
}
