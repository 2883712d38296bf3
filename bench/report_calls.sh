#!/usr/bin/env bash
# Counts the calls to the checkpoint store with which the instances of a job exchange their reports.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

usage() {
    cat <<'EOF'
usage: bench/report_calls.sh

Prints a table: the calls of 1, 4 and 16 instances in one minute, without a page and with one. Takes ten minutes.
EOF
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
esac

cargo run --quiet --locked --release -p windrow-web --example report_calls
