# shellcheck shell=bash
# Background processes and the pid files that remember them.
#
# A pid file holds "PID BORN", BORN being the kernel's start time of that process: a pid that was reused by an
# unrelated process has another start time, so nobody else's process is ever taken for ours, or stopped.
# Linux only (/proc), which needs no package that a small image might lack.

# process_born PID: the start time of a living process in clock ticks since boot; fails for a dead one or a zombie.
process_born() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The command's name may hold spaces and brackets: the numbers begin behind its last bracket.
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z && ${fields[0]} != X ]] && printf '%s\n' "${fields[19]}"
}

# process_pid PIDFILE: the pid of the living process that the file remembers; fails if there is none.
process_pid() {
    local pid born
    [[ -r $1 ]] && read -r pid born <"$1" && [[ -n $born && $(process_born "$pid") == "$born" ]] && printf '%s\n' "$pid"
}

# process_alive PIDFILE
process_alive() { process_pid "$1" >/dev/null; }

# process_start PIDFILE LOG COMMAND…: starts the command in the background in a session of its own (a Ctrl-C in
# this terminal does not reach it), its output appended to LOG. Descriptor 9 (start.sh's lock) is not passed on.
process_start() {
    local pidfile=$1 log=$2 pid born
    shift 2
    setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    disown "$pid"
    born=$(process_born "$pid") || born=gone
    printf '%s %s\n' "$pid" "$born" >"$pidfile"
}

# process_stop PIDFILE [SECONDS]: SIGTERM, waits, and SIGKILL only when SECONDS (default 20) were not enough.
# The pid file is gone afterwards. Fails if the process outlives even that.
process_stop() {
    local pidfile=$1 tries=$((${2:-20} * 10)) pid
    if pid=$(process_pid "$pidfile"); then
        kill -TERM "$pid" 2>/dev/null || true
        while ((tries-- > 0)) && process_alive "$pidfile"; do sleep 0.1; done
        if process_alive "$pidfile"; then
            kill -KILL "$pid" 2>/dev/null || true
            sleep 0.5
            ! process_alive "$pidfile" || return 1
        fi
    fi
    rm -f -- "$pidfile"
}
