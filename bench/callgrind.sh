#!/usr/bin/env bash
# Counts the instructions of a replay by function: callgrind over 100,000 events. The counts do not depend on the load.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=bench/events.sh
source bench/events.sh

usage() {
    cat <<'EOF'
usage: bench/callgrind.sh [--inclusive] [--count N] [--users N] [--top N]

Builds the binary and replays events under valgrind. Prints instructions per event, in total and by function.

  --inclusive   count called functions too; without it, only each function's own instructions
  --count N     events (100000)
  --users N     users (5000: as many events per user as in bench/replay.sh)
  --top N       functions shown (25)
EOF
}

INCLUSIVE=() COUNT=100000 USERS=5000 TOP=25
while (($# > 0)); do
    case $1 in
        --inclusive) INCLUSIVE=(--inclusive) ;;
        --count) COUNT=${2:?--count needs a number}; shift ;;
        --users) USERS=${2:?--users needs a number}; shift ;;
        --top) TOP=${2:?--top needs a number}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
if ! command -v valgrind >/dev/null; then
    echo "error: valgrind is missing; on Debian: apt-get install valgrind" >&2
    exit 1
fi

build_binary
EVENTS=$(events_file "$COUNT" "$USERS")
PROFILE=$CACHE/callgrind.out
valgrind --quiet --tool=callgrind --callgrind-out-file="$PROFILE" \
    "$BINARY" replay pipelines/ecommerce.toml --input "$EVENTS" --output /dev/null >&2

WITH_CALLED=no
((${#INCLUSIVE[@]} == 0)) || WITH_CALLED=yes
callgrind_annotate --auto=no --inclusive="$WITH_CALLED" --threshold=100 "$PROFILE" |
    python3 bench/per_event.py "${INCLUSIVE[@]}" --events "$COUNT" --top "$TOP"
