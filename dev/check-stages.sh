#!/usr/bin/env bash
# Checks how ./test.sh counts its stages, with stages that take no time: `ok …` or `FAILED …` for each case.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/windrow-stages.XXXXXX")
trap 'rm -rf -- "$FOLDER"' EXIT
FAILURES=0

# run_stages COMMAND…: runs the commands in a shell like that of ./test.sh, which ends by printing its counts.
run_stages() {
    local command
    {
        cat <<'SCRIPT'
set -euo pipefail
source dev/lib/say.sh
source dev/lib/process.sh
source dev/lib/test_stages.sh
trap 'stages_kill; echo "$PASSED passed, $FAILED failed"' EXIT
node_output() { sleep "$1"; printf '# tests %d\n# pass %d\n# fail %d\n' $(($2 + $3)) "$2" "$3"; return "$3"; }
SCRIPT
        for command; do printf '%s\n' "$command"; done
    } >"$FOLDER/stages.sh"
    TEMP=$FOLDER FAST=0 bash "$FOLDER/stages.sh"
}

# check NAME LAST_LINE COMMAND…: checks the last line of the stages' output.
check() {
    local name=$1 expected=$2 last
    shift 2
    run_stages "$@" >"$FOLDER/output" 2>&1 </dev/null || true
    last=$(tail -n 1 "$FOLDER/output")
    if [[ $last == "$expected" ]]; then
        printf 'ok %s\n' "$name"
    else
        printf 'FAILED %s: "%s" instead of "%s"\n' "$name" "$last" "$expected"
        sed 's/^/    /' "$FOLDER/output"
        FAILURES=1
    fi
}

check 'stages one after the other' '5 passed, 0 failed' \
    'stage one count_node node_output 0 2 0' 'stage two count_node node_output 0 3 0'
check 'a failed stage ends the run' '2 passed, 1 failed' \
    'stage one count_node node_output 0 2 1' 'stage two count_node node_output 0 3 0'
check 'a stage beside another that ends before it' '5 passed, 0 failed' \
    'stage_begin beside count_node node_output 0 2 0' 'stage front count_node node_output 0.5 3 0' 'stage_end beside'
check 'a stage beside another that ends after it' '5 passed, 0 failed' \
    'stage_begin beside count_node node_output 0.5 2 0' 'stage front count_node node_output 0 3 0' 'stage_end beside'
check 'a failed stage beside another' '3 passed, 1 failed' \
    'stage_begin beside count_node node_output 0.5 0 1' 'stage front count_node node_output 0 3 0' 'stage_end beside'
check 'a stage that is beside another when the run ends' '2 passed, 1 failed' \
    'stage_begin beside count_node node_output 60 2 0' 'stage front count_node node_output 0 2 1'
exit "$FAILURES"
