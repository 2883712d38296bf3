# shellcheck shell=bash
# A Docker engine for tests, with all its files in one folder, and Docker's compose plugin.
#
# Owns: the engine, and every trace that it leaves: mounts, the bridge, rules of the firewall. Uses say.sh, process.sh,
# install.sh. Expects no other Docker engine: two of them would share the bridge.

COMPOSE_VERSION=v2.40.3
ENGINE_DIR=''
# What the engine changes on this machine, as it was before. The rules of the firewall are in $ENGINE_DIR/*.before.
FORWARD_POLICY='' IP_FORWARD='' BRIDGES=''

need_engine() {
    need_package docker.io has_command dockerd
    need_package docker.io has_command docker
    need_package debootstrap has_command debootstrap
    need_package iptables has_command iptables
    need_package iproute2 has_command ip
}

# engine_start DIR: starts the engine and exports what `docker` needs to reach it.
engine_start() {
    local tries=300 tables
    ENGINE_DIR=$1
    mkdir -p "$ENGINE_DIR/config"
    for tables in iptables ip6tables; do
        "$tables-save" >"$ENGINE_DIR/$tables.before" 2>/dev/null || true
    done
    FORWARD_POLICY=$(iptables -S FORWARD | sed -n 's/^-P FORWARD //p')
    IP_FORWARD=$(</proc/sys/net/ipv4/ip_forward)
    BRIDGES=$(bridges)
    export DOCKER_HOST=unix://$ENGINE_DIR/docker.sock DOCKER_CONFIG=$ENGINE_DIR/config
    unset DOCKER_CONTEXT DOCKER_TLS_VERIFY
    process_start "$ENGINE_DIR/dockerd.pid" "$ENGINE_DIR/dockerd.log" \
        dockerd --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --host "$DOCKER_HOST" \
        --pidfile "$ENGINE_DIR/dockerd.own.pid"
    until docker version >/dev/null 2>&1; do
        if ! process_alive "$ENGINE_DIR/dockerd.pid" || ((tries-- == 0)); then
            say_error 'dockerd did not start'
            say_log_end "$ENGINE_DIR/dockerd.log"
            return 1
        fi
        sleep 0.2
    done
}

# engine_stop: stops the engine and its containers, and removes its mounts, bridge and rules.
engine_stop() {
    local mount bridge tables
    [[ -n $ENGINE_DIR ]] || return 0
    process_stop "$ENGINE_DIR/dockerd.pid" 60 || say_warn 'dockerd does not stop'
    while read -r mount; do umount --lazy "$mount" || true; done < <(engine_mounts)
    while read -r bridge; do ip link delete "$bridge" || true; done < <(comm -13 <(echo "$BRIDGES") <(bridges))
    for tables in iptables ip6tables; do
        # One restore for each family: the other rules stay as they are at this moment.
        "$tables-save" 2>/dev/null | without_new_rules "$ENGINE_DIR/$tables.before" | "$tables-restore" 2>/dev/null || true
    done
    [[ -z $FORWARD_POLICY ]] || iptables -P FORWARD "$FORWARD_POLICY"
    [[ -z $IP_FORWARD ]] || printf '%s\n' "$IP_FORWARD" >/proc/sys/net/ipv4/ip_forward
}

# without_new_rules BEFORE: copies the output of iptables-save without the chains and rules of Docker, except for those of
# the same table in the file BEFORE. An earlier Docker engine of this machine may have left such rules.
without_new_rules() {
    local hex
    hex=$(printf '[0-9a-f]%.0s' {1..12})
    # The counters of a chain change.
    awk -v docker="DOCKER|docker0|br-$hex" '
        /^\*/           { table = $0 }
                        { rule = $0; sub(/ \[[0-9]*:[0-9]*\]$/, "", rule); rule = table " " rule }
        FILENAME != "-" { before[rule]; next }
        $0 ~ docker && !(rule in before) { next }
                        { print }' "$1" -
}

# bridges: prints the bridges of this machine, sorted.
bridges() { ip -o link show type bridge | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort; }

# engine_mounts: prints the mounts below the engine's folder, innermost first.
engine_mounts() { awk -v dir="$ENGINE_DIR/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r; }

# compose_plugin CACHE: makes `docker compose` work. Builds the plugin in the folder CACHE once where it is missing.
compose_plugin() {
    local built=$1/docker-compose-$COMPOSE_VERSION
    docker compose version >/dev/null 2>&1 && return
    if [[ ! -x $built ]]; then
        has_command go || { say_error 'no Docker Compose (docker compose), and no Go to build it with'; return 1; }
        mkdir -p "$1"
        compose_build "$built" || return
    fi
    mkdir -p "$DOCKER_CONFIG/cli-plugins"
    ln -sf "$built" "$DOCKER_CONFIG/cli-plugins/docker-compose"
    docker compose version
}

# compose_build FILE: builds the plugin from its module. `go install` refuses it, because the module replaces others.
compose_build() (
    source=$(mktemp -d)
    trap 'chmod -R u+w "$source"; rm -rf -- "$source"' EXIT
    module=$(go mod download -json "github.com/docker/compose/v2@$COMPOSE_VERSION" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    [[ -n $module ]] || exit 1
    cp -R "$module/." "$source" && chmod -R u+w "$source" && cd "$source" || exit
    CGO_ENABLED=0 go build -trimpath -o "$1.new" \
        -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$COMPOSE_VERSION" ./cmd &&
        mv "$1.new" "$1"
)
