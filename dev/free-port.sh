#!/usr/bin/env bash
# Prints a free TCP port of this machine.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

# shellcheck source=lib/port.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/port.sh"
port_free
