# shellcheck shell=bash
# Free space of disks. Uses say.sh.

# disk_free_mb PATH: prints the free megabytes of the disk that holds PATH, or will hold it; nothing if df does not know.
disk_free_mb() {
    local path=$1
    while [[ ! -e $path && $path == */* ]]; do path=${path%/*}; done
    # Of a path that does not exist, an absolute one leaves nothing here, and a relative one its first folder.
    if [[ -z $path ]]; then path=/; elif [[ ! -e $path ]]; then path=.; fi
    df -Pk -- "$path" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }' || true
}

# disk_need PATH MB SETTING: fails if the disk of PATH has less than MB megabytes free. SETTING is the variable that names
# another folder.
disk_need() {
    local free
    free=$(disk_free_mb "$1")
    [[ -n $free ]] && ((free < $2)) || return 0
    say_error "the disk of $1 is full: $free MB are free, $2 MB are needed"
    say_hint "free some space, or name a folder on another disk: $3=/folder"
    return 1
}

# disk_explain PATH…: after a failure, names the disks that are full.
disk_explain() {
    local path free
    for path; do
        free=$(disk_free_mb "$path")
        [[ -z $free ]] || ((free >= 20)) || say_hint "the disk of $path is full ($free MB are free)"
    done
}

# folder_need FOLDER SETTING: makes the folder, and fails if it cannot be written.
folder_need() {
    local why
    if why=$({ mkdir -p -- "$1" && : >"$1/.probe" && rm -f -- "$1/.probe"; } 2>&1); then return; fi
    say_error "the folder $1 cannot be written: ${why##*: }"
    say_hint "correct its owner or permissions, or name another folder: $2=/folder"
    return 1
}
