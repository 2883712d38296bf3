#!/usr/bin/env bash
# Simulates seeds without end, until one breaks a promise.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'EOF'
usage: bench/simulate.sh [FIRST_SEED [COUNT]]
       bench/simulate.sh --trace SEED

Builds crates/simulation for speed, and simulates seeds one after another: several instances over simulated services with
faults, in one thread and virtual time. Ends at the first seed that breaks a promise, and prints its trace.

  FIRST_SEED     a random one
  COUNT          without end
  --trace SEED   prints the trace of one seed
EOF
}

if [[ ${1-} == -h || ${1-} == --help ]]; then
    usage
    exit 0
fi
(($# > 0)) || set -- "$RANDOM$RANDOM"
[[ $1 == --trace ]] || echo "first seed: $1" >&2
cargo build --quiet --profile profiling -p windrow-simulation --example simulate
exec "${CARGO_TARGET_DIR:-target}/profiling/examples/simulate" "$@"
