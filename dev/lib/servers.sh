# shellcheck shell=bash
# Installs and starts Redis and Kafka in the background, while the compiler runs. The script shows the result of each
# part in order, after the build.
#
# Owns: the background process, and one file per part with its output. The functions of the parts are in native.sh. Uses
# say.sh, process.sh and stack.sh. Ctrl-C does not reach the background process, which has a process group of its own:
# servers_stop ends it. If the script is killed, the background process ends after the part that it is doing.

SERVERS_DIR=$STACK_HOME/servers
# The background process and its start time (see process.sh); empty if there is none.
SERVERS_PID='' SERVERS_BORN=''
SERVERS_PARTS=(packages redis kafka topic)

# servers_prepare: forgets the files of an earlier run.
servers_prepare() { rm -rf -- "$SERVERS_DIR" && mkdir -p -- "$SERVERS_DIR"; }

# servers_begin: starts the background process.
servers_begin() {
    set -m
    servers_run </dev/null >/dev/null 2>&1 &
    SERVERS_PID=$!
    set +m
    SERVERS_BORN=$(process_born "$SERVERS_PID") || SERVERS_BORN=gone
}

# servers_live: returns whether the background process lives. Another process may have its pid later.
servers_live() { [[ -n $SERVERS_PID && $(process_born "$SERVERS_PID") == "$SERVERS_BORN" ]]; }

servers_run() {
    local part code
    trap - EXIT INT TERM
    STEP_LOG=$SERVERS_DIR/step.log
    for part in "${SERVERS_PARTS[@]}"; do
        # $$ is the script. A killed one cannot stop what would start now.
        kill -0 "$$" 2>/dev/null && [[ ! -e $SERVERS_DIR/stop ]] || return
        STEP_BEGAN=$SECONDS code=0
        "native_$part" >"$SERVERS_DIR/$part.out" 2>&1 || code=$?
        echo "$code" >"$SERVERS_DIR/$part.code"
        ((code == 0)) || return
    done
}

# servers_show PART DOING: waits until the background process has done the part, prints its output, and returns its code.
servers_show() {
    local part=$1 code
    if [[ ! -s $SERVERS_DIR/$part.code ]]; then
        ticker_start "$2"
        while [[ ! -s $SERVERS_DIR/$part.code ]] && servers_live; do sleep 0.1; done
        ticker_stop
    fi
    code=$(cat "$SERVERS_DIR/$part.code" 2>/dev/null) || code=''
    if [[ $code == 0 ]]; then
        cat "$SERVERS_DIR/$part.out"
        return
    fi
    cat "$SERVERS_DIR/$part.out" >&2 || true
    [[ -n $code ]] || say_error "this part ended without a result; its files are in $SERVERS_DIR"
    return 1
}

# servers_end: forgets the background process once all its parts are done.
servers_end() {
    wait "$SERVERS_PID" 2>/dev/null || true
    SERVERS_PID=''
}

# servers_stop: ends the background process and what it is running now. A server that has started keeps running.
servers_stop() {
    local tries=100
    servers_live || return 0
    # As root apt-get runs. A signal in the middle of an installation leaves half-installed packages.
    if ((EUID == 0)) && [[ ! -s $SERVERS_DIR/packages.code ]]; then
        : >"$SERVERS_DIR/stop" || true
        while [[ ! -s $SERVERS_DIR/packages.code ]] && servers_live; do
            ((tries-- != 90)) ||
                say_info 'waiting until the packages are installed: an interrupted installation would break the next one'
            sleep 0.1
        done
        tries=100
    fi
    kill -TERM -- "-$SERVERS_PID" 2>/dev/null || true
    wait "$SERVERS_PID" 2>/dev/null || true
    # The process itself ends first. One of its group may still be writing the pid file of a server.
    while process_group_alive "$SERVERS_PID" && ((tries-- > 0)); do sleep 0.1; done
    SERVERS_PID=''
}

# part_started NAME, part_was_started NAME: remember which parts this run started, also from the background process.
part_started() { echo "$1" >>"$SERVERS_DIR/started"; }
part_was_started() { grep -qx "$1" "$SERVERS_DIR/started" 2>/dev/null; }

# without_kafka [REASON]: records why Apache Kafka is not available; without a reason: returns whether it is not, and sets
# WITHOUT_KAFKA.
without_kafka() {
    local file=$SERVERS_DIR/without-kafka
    if (($#)); then printf '%s\n' "$1" >"$file"; fi
    WITHOUT_KAFKA=$(cat "$file" 2>/dev/null) || WITHOUT_KAFKA=''
    [[ -n $WITHOUT_KAFKA ]]
}
