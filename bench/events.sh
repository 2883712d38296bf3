# shellcheck shell=bash
# The binary of the profile `profiling` (`release` with symbols) and the generated events that the benchmarks share.
# Source it in the project's root.

TARGET=${CARGO_TARGET_DIR:-$PWD/target}
BINARY=$TARGET/profiling/windrow
CACHE=$TARGET/bench

build_binary() {
    cargo build --profile profiling --locked --quiet -p windrow
}

# generate_command FILE COUNT USERS [BACKLOG]: sets GENERATE to the words of the command. The same flags give the same
# bytes.
generate_command() {
    GENERATE=("$BINARY" generate --to "$1" --count "$2" --users "$3" --backlog "${4:-2h}" --seed 1)
}

# events_file COUNT USERS: prints the path of the events. Generates them if they are missing or older than the binary.
events_file() {
    local file=$CACHE/events-$1-$2.jsonl
    mkdir -p "$CACHE"
    if [[ ! -f $file || $file -ot $BINARY ]]; then
        generate_command "$file.part" "$1" "$2"
        "${GENERATE[@]}" >&2
        mv -- "$file.part" "$file"
    fi
    echo "$file"
}
