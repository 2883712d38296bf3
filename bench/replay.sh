#!/usr/bin/env bash
# Measures a replay: 4 million generated events through the shipped pipeline, five times.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=bench/events.sh
source bench/events.sh

usage() {
    cat <<'EOF'
usage: bench/replay.sh [--json] [--runs N] [--count N] [--users N] [--pipeline FILE]

Builds the binary, generates events (kept in the target folder for later runs) and replays them.
Prints the median over the runs: events per CPU-second, time, largest resident set, rows written; and the same for the
generator. Needs python3 and about 1.3 GB of disk. Run no other load meanwhile.

  --json            figures as one JSON object instead of a table
  --runs N          replays (5)
  --count N         events (4000000)
  --users N         users (200000)
  --pipeline FILE   another pipeline (pipelines/ecommerce.toml)
EOF
}

JSON=() RUNS=5 COUNT=4000000 USERS=200000 PIPELINE=pipelines/ecommerce.toml
while (($# > 0)); do
    case $1 in
        --json) JSON=(--json) ;;
        --runs) RUNS=${2:?--runs needs a number}; shift ;;
        --count) COUNT=${2:?--count needs a number}; shift ;;
        --users) USERS=${2:?--users needs a number}; shift ;;
        --pipeline) PIPELINE=${2:?--pipeline needs a file}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

build_binary
mkdir -p "$CACHE"
OUTPUT=$CACHE/rows.jsonl
GENERATED=$CACHE/generated.jsonl
trap 'rm -f -- "$OUTPUT" "$GENERATED"' EXIT

EVENTS=$(events_file "$COUNT" "$USERS")
generate_command "$GENERATED" "$COUNT" "$USERS"
REPLAY=("$BINARY" replay "$PIPELINE" --input "$EVENTS" --output "$OUTPUT")

python3 bench/measure.py "${JSON[@]}" --runs "$RUNS" --events "$COUNT" \
    --command replay "$OUTPUT" "${REPLAY[@]}" \
    --command generate "$GENERATED" "${GENERATE[@]}"
