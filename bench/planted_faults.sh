#!/usr/bin/env bash
# Plants faults in a copy of the tree, and shows which seed of the simulation finds each.
set -euo pipefail

exec python3 "$(dirname "${BASH_SOURCE[0]}")/planted_faults.py" "$@"
