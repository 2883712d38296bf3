# shellcheck shell=bash
# Background processes and their pid files.
#
# A pid file holds "PID BORN": BORN is the kernel's start time of that process. An unrelated process with the same pid has
# another start time, so it is never stopped by mistake. Linux only: /proc needs no package.

# process_read FILE: sets PROCESS to the fields of a stat file of /proc, from the state on; fails if its process is gone.
# Not with `$(<FILE)`: if the file is missing, bash ends the whole script under `set -e`, also inside a condition.
process_read() {
    local stat=''
    { IFS= read -rd '' stat <"$1"; } 2>/dev/null || [[ -n $stat ]] || return 1
    # The command's name may hold spaces and brackets: the numbers begin after its last bracket.
    read -ra PROCESS <<<"${stat##*) }"
}

# process_born PID: prints the start time of a process in clock ticks since boot; fails for a dead one or a zombie.
process_born() {
    process_read "/proc/$1/stat" && [[ ${PROCESS[0]} != [ZX] ]] && printf '%s\n' "${PROCESS[19]}"
}

# process_pid PIDFILE: prints the pid of the file's process; fails if it does not live.
process_pid() {
    local pid born
    [[ -r $1 ]] && read -r pid born <"$1" && [[ -n $born && $(process_born "$pid") == "$born" ]] && printf '%s\n' "$pid"
}

# process_alive PIDFILE: returns whether the file's process lives.
process_alive() { process_pid "$1" >/dev/null; }

# process_group_alive GROUP: returns whether a process of the group lives. A zombie does not.
process_group_alive() {
    local file
    kill -0 -- "-$1" 2>/dev/null || return
    for file in /proc/[0-9]*/stat; do
        process_read "$file" || continue
        [[ ${PROCESS[2]} != "$1" || ${PROCESS[0]} == [ZX] ]] || return 0
    done
    return 1
}

# process_start PIDFILE LOG COMMAND…: starts the command in the background and appends its output to LOG. The command
# runs in a new session, so a Ctrl-C in this terminal does not reach it. It does not inherit descriptor 9, start.sh's lock.
# A signal that arrives meanwhile takes effect once the pid file is written: no process is left without one.
process_start() {
    local pidfile=$1 log=$2 pid born traps signal=''
    shift 2
    traps=$(trap -p INT TERM)
    trap 'signal=INT' INT
    trap 'signal=TERM' TERM
    setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    disown "$pid"
    born=$(process_born "$pid") || born=gone
    printf '%s %s\n' "$pid" "$born" >"$pidfile" || { kill -TERM "$pid"; born=''; }
    trap - INT TERM
    eval "$traps"
    [[ -z $signal ]] || kill "-$signal" "$BASHPID"
    [[ -n $born ]]
}

# process_stop PIDFILE [SECONDS]: sends SIGTERM, and SIGKILL after SECONDS (default 20); then removes the pid file. Fails
# if the process survives.
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
