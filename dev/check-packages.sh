#!/usr/bin/env bash
# Checks that windrow can be installed with pip and with cargo, and that an installed windrow runs outside of this folder.
# shellcheck source-path=SCRIPTDIR/..
# shellcheck disable=SC2317 # the checks are called through check()
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=dev/lib/say.sh
source dev/lib/say.sh
# shellcheck source=dev/lib/venv.sh
source dev/lib/venv.sh

usage() {
    cat <<'EOF'
usage: dev/check-packages.sh

Builds a wheel and installs it into an empty Python environment, installs with `cargo install`, and runs `windrow demo`
with each, in an empty folder and with an empty environment. Prints a line `ok …` or `FAILED …` per check, or
`left out: …` for pip if PyPI cannot be reached. With CI=true that is a failure. The profile is `dev`, so that the
libraries are those of the tests.
EOF
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) say_error "unknown argument: $1"; usage >&2; exit 2 ;;
esac

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-packages.XXXXXX")
trap 'rm -rf -- "$TEMP"' EXIT
FAILURES=0
# check NAME COMMAND…: prints whether the command succeeded, and its output if not.
check() {
    local name=$1
    shift
    if "$@" >"$TEMP/log" 2>&1; then
        echo "ok $name"
    else
        echo "FAILED $name"
        tail -n 40 "$TEMP/log"
        FAILURES=$((FAILURES + 1))
    fi
}

install_with_pip() {
    python3 -m venv "$TEMP/venv" &&
        "$TEMP/venv/bin/pip" install --disable-pip-version-check --config-settings=build-args='--profile dev' "$ROOT"
}

install_with_cargo() { cargo install --path crates/windrow --locked --debug --root "$TEMP/cargo"; }

# demo_runs BINARY: checks that the demo writes rows of both views.
demo_runs() {
    local empty=$TEMP/empty rows
    mkdir -p "$empty"
    rows=$(cd "$empty" && env -i HOME="$empty" PATH=/usr/bin:/bin "$1" demo --plain --time 10s) || return 1
    [[ $rows == *user_features* && $rows == *session_features* ]] && return
    head -n 20 <<<"$rows"
    return 1
}

check_pip() {
    local log=$TEMP/pip.log reason
    if install_with_pip >"$log" 2>&1; then
        echo 'ok pip install . into an empty environment'
        check 'windrow demo, installed with pip' demo_runs "$TEMP/venv/bin/windrow"
        return
    fi
    reason=$(venv_reason "$log")
    if [[ $reason == *pypi* && ${CI:-} != true ]]; then
        echo "left out: pip install .$reason"
        return
    fi
    check 'pip install . into an empty environment' fail_with "$log"
}

fail_with() { cat "$1"; return 1; }

check_pip
check 'cargo install --path crates/windrow' install_with_cargo
check 'windrow demo, installed with cargo' demo_runs "$TEMP/cargo/bin/windrow"
((FAILURES == 0))
