#!/usr/bin/env bash
# Measures the cost of checkpoints: base, changes, restore, pauses, and the loss of throughput.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

usage() {
    cat <<'EOT'
usage: bench/checkpoints.sh [--users N] [--events N] [--every MS] [--rounds N]

Builds and runs an example program: one partition, the shipped pipeline, a checkpoint directory on this disk. First all
panes of all users are filled and saved; then 1 % of the users change, and are saved and restored three times. Then the same
events run at full speed with checkpoints and without, in turn. About six minutes; run no other load meanwhile.

  --users N    users (1000000)
  --events N   events of a run with or without checkpoints (20000000)
  --every MS   time between two checkpoints of those runs (10000: three times as often as the default)
  --rounds N   pairs of runs with and without checkpoints (5)
EOT
}

USERS=1000000 EVENTS=20000000 EVERY=10000 ROUNDS=5
while (($# > 0)); do
    case $1 in
        --users) USERS=${2:?--users needs a number}; shift ;;
        --events) EVENTS=${2:?--events needs a number}; shift ;;
        --every) EVERY=${2:?--every needs milliseconds}; shift ;;
        --rounds) ROUNDS=${2:?--rounds needs a number}; shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

cargo build --profile profiling --locked --quiet -p windrow-connectors --example checkpoint_cost
PROGRAM=${CARGO_TARGET_DIR:-$PWD/target}/profiling/examples/checkpoint_cost
PLACE=$(mktemp -d)
trap 'rm -rf -- "$PLACE"' EXIT
"$PROGRAM" state "$PLACE/state" "$USERS"
"$PROGRAM" overhead "$PLACE/overhead" "$USERS" "$EVENTS" "$EVERY" "$ROUNDS"
