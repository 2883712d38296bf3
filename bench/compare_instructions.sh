#!/usr/bin/env bash
# Fails if a replay costs more instructions per event than at another commit: the gate of the workflow `ci.yml`.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

usage() {
    cat <<'EOF'
usage: bench/compare_instructions.sh BASE [--limit PERCENT]

Builds the commit BASE in a temporary work tree and this tree, runs bench/callgrind.sh in both, and prints both figures with
the functions that changed most. The exit code is 1 if this tree needs more than PERCENT more instructions per event.
Needs valgrind and python3.

  --limit PERCENT   the growth that passes (2)
EOF
}

BASE='' LIMIT=2
while (($# > 0)); do
    case $1 in
        --limit) LIMIT=${2:?--limit needs a number}; shift ;;
        -h | --help) usage; exit 0 ;;
        -*) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
        *) BASE=$1 ;;
    esac
    shift
done
[[ -n $BASE ]] || { usage >&2; exit 2; }

TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-instructions.XXXXXX")
# Each tree has its own target folder. In a shared one, Cargo could take the crates of one tree for those of the other.
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}

finish() {
    git worktree remove --force "$TEMP/base" 2>/dev/null || true
    rm -rf -- "$TEMP"
}
trap finish EXIT

git worktree add --quiet --detach "$TEMP/base" "$BASE"
CARGO_TARGET_DIR=$TARGET/instructions-base "$TEMP/base/bench/callgrind.sh" --top 100000 >"$TEMP/base.txt"
CARGO_TARGET_DIR=$TARGET bench/callgrind.sh --top 100000 >"$TEMP/here.txt"
python3 bench/compare_instructions.py --limit "$LIMIT" "$TEMP/base.txt" "$TEMP/here.txt"
