#!/usr/bin/env bash
# Counts the instructions of the search for misplaced records, per record of a topic that is keyed by user, and per
# misplaced record.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

usage() {
    cat <<'EOF'
usage: bench/record_keys.sh

Builds a test of the engine and runs it under valgrind. Prints instructions per record. The counts do not depend on the load.
EOF
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
esac
if ! command -v valgrind >/dev/null; then
    echo "error: valgrind is missing; on Debian: apt-get install valgrind" >&2
    exit 1
fi

RECORDS=100000
BINARY=$(cargo test --quiet --locked --profile profiling -p windrow-engine --lib --no-run --message-format json |
    python3 -c 'import json, sys; print([found for line in sys.stdin if (found := json.loads(line).get("executable"))][-1])')
PROFILE=$(mktemp "${TMPDIR:-/tmp}/windrow-record-keys.XXXXXX")
trap 'rm -f -- "$PROFILE"' EXIT

# Runs a test and prints the instructions of a function in it: TEST FUNCTION WHAT.
count_instructions() {
    valgrind --quiet --tool=callgrind --callgrind-out-file="$PROFILE" --toggle-collect="*$2*" \
        "$BINARY" --exact "$1" --test-threads 1 >/dev/null
    awk -v records="$RECORDS" -v what="$3" \
        '/^(summary|totals):/ { total = $2 } END { printf "%.1f instructions per %s\n", total / records, what }' "$PROFILE"
}

count_instructions record_key::tests::a_hundred_thousand_records_of_a_topic_that_is_keyed_by_user find_misplacement \
    'record of a topic that is keyed by user'
count_instructions worker::record_key_check::tests::a_hundred_thousand_misplaced_records check_misplaced_record \
    'misplaced record'
