#!/usr/bin/env bash
# Runs every test of the project, also on a fresh machine.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT"
# The settings of a developer's own stack must not reach the tests.
unset WINDROW_HOME WINDROW_KAFKA_PORT WINDROW_REDIS_PORT WINDROW_BIN WINDROW_TEST_KAFKA WINDROW_TEST_REDIS
unset WINDROW_TEST_S3 WINDROW_TEST_S3_FAULTS WINDROW_TEST_FLINK WINDROW_UI_PORT WINDROW_KAFKA_UI_PORT WINDROW_TOKEN
# shellcheck source=dev/lib/say.sh
source dev/lib/say.sh
# shellcheck source=dev/lib/process.sh
source dev/lib/process.sh
# shellcheck source=dev/lib/port.sh
source dev/lib/port.sh
# shellcheck source=dev/lib/java.sh
source dev/lib/java.sh
# shellcheck source=dev/lib/install.sh
source dev/lib/install.sh
# shellcheck source=dev/lib/venv.sh
source dev/lib/venv.sh
# shellcheck source=dev/lib/test_stages.sh
source dev/lib/test_stages.sh
# shellcheck source=dev/lib/disk.sh
source dev/lib/disk.sh

usage() {
    cat <<'EOF'
usage: ./test.sh [--fast]

Installs what it needs (as root; otherwise it prints the command) and runs everything: format, lints, docs, scripts,
JavaScript, unit, property, conformance and end-to-end tests, installation with pip and cargo, ./start.sh and the
notebooks. The tests use their own Kafka, Redis and S3, on free ports and in a temporary folder; all of them are stopped
at the end. The last line is `N passed, N failed`.

  --fast   for developers: no Kafka, S3, browser, JavaScript checks, installation or notebooks; their tests are skipped

If Apache Kafka, Flink's command line, the S3 (moto), MkDocs or Node.js 20 is not available, a loud line says so and
their tests are skipped. With CI=true, and without --fast, every skipped test is a failure.

The checks of Docker (dev/docker-test.sh) run where a Docker engine runs, and with WINDROW_TEST_DOCKER=1 on an engine
of their own. Otherwise a line says that they are left out, also with CI=true. WINDROW_TEST_SEED seeds the faults of
one S3; without it a new seed is printed.
EOF
}

FAST=0
for argument; do
    case $argument in
        --fast) FAST=1 ;;
        -h | --help) usage; exit 0 ;;
        *) say_error "unknown argument: $argument"; usage >&2; exit 2 ;;
    esac
done

# The reasons why Apache Kafka, S3, Flink, a browser and MkDocs are missing; empty if they are available.
WITHOUT_KAFKA='' WITHOUT_S3='' WITHOUT_FLINK='' WITHOUT_BROWSER='' WITHOUT_MKDOCS=''
((FAST == 0)) || WITHOUT_KAFKA='--fast' WITHOUT_S3='--fast'
SEED=${WINDROW_TEST_SEED:-$RANDOM}
folder_need "${TMPDIR:-/tmp}" TMPDIR || exit 1
disk_need "${TMPDIR:-/tmp}" 300 TMPDIR || exit 1
TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-test.XXXXXX")
BINARY=${CARGO_TARGET_DIR:-$ROOT/target}/debug/windrow
VENV=$ROOT/.windrow/venv

# Stops all servers and prints the counts, at any end of the script.
finish() {
    local code=$?
    # A second Ctrl-C must not end the clean-up halfway.
    trap - EXIT
    trap '' INT TERM
    ticker_stop
    stages_kill
    dev/kafka.sh stop --dir "$TEMP/kafka" || true
    dev/redis.sh stop --dir "$TEMP/redis" || true
    dev/s3.sh stop --dir "$TEMP/s3" || true
    dev/s3.sh stop --dir "$TEMP/s3-faults" || true
    if ((code != 0 && FAILED == 0)); then
        [[ -z $CURRENT ]] || say_error "ended in: $CURRENT"
        FAILED=1
    fi
    ((code == 0)) || disk_explain "$TEMP" "$ROOT/.windrow" "${CARGO_TARGET_DIR:-$ROOT/target}"
    if ((FAILED > 0)); then echo "logs: $TEMP"; else rm -rf -- "$TEMP"; fi
    if ((SKIPPED > 0)); then
        printf '%s!!! %d tests SKIPPED%s%s%s%s%s%s\n' "$YELLOW" "$SKIPPED" \
            "${WITHOUT_KAFKA:+; no Apache Kafka: $WITHOUT_KAFKA}" "${WITHOUT_FLINK:+; no Flink: $WITHOUT_FLINK}" \
            "${WITHOUT_S3:+; no S3: $WITHOUT_S3}" "${WITHOUT_MKDOCS:+; no MkDocs: $WITHOUT_MKDOCS}" \
            "${WITHOUT_BROWSER:+; no browser: $WITHOUT_BROWSER}" "$PLAIN"
    fi
    echo "$PASSED passed, $FAILED failed"
    ((code != 0 || FAILED == 0)) || code=1
    exit "$code"
}

tools() {
    need_redis
    need_build_tools
    need_shellcheck
    need_prometheus
    need_python
    ((FAST)) || need_browser
    install_missing "$TEMP/install.log"
    find_rust "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
    rust_component rustfmt cargo fmt --version
    rust_component clippy cargo clippy --version
}

# rust_component NAME CHECK…: installs a component of the Rust toolchain if CHECK fails.
rust_component() {
    local name=$1
    shift
    "$@" >/dev/null 2>&1 && return
    has_command rustup && rustup component add "$name" && return
    say_error "the Rust toolchain has no $name"
    say_hint "run:  rustup component add $name"
    return 1
}

# Fetches Kafka, or records why it is missing.
kafka_tools() {
    [[ -z $WITHOUT_KAFKA ]] || return 0
    need_kafka
    if ! install_missing "$TEMP/install-kafka.log"; then
        ((EUID == 0)) || return 1
        WITHOUT_KAFKA='Java and Maven could not be installed'
    elif ! with_ticker 'fetching Apache Kafka' "$TEMP/fetch.log" dev/kafka.sh fetch; then
        WITHOUT_KAFKA=$(sed -n '1s/^error: //p' "$TEMP/fetch.log")
    fi
    [[ -n $WITHOUT_KAFKA ]] || return 0
    tests_skipped "no Apache Kafka here ($WITHOUT_KAFKA)"
}

# Fetches the S3 for tests, or records why it is missing.
s3_tools() {
    [[ -z $WITHOUT_S3 ]] || return 0
    with_ticker 'fetching moto, the S3 for tests' "$TEMP/fetch-s3.log" dev/s3.sh fetch && return
    WITHOUT_S3=$(sed -n '1s/^error: //p' "$TEMP/fetch-s3.log")
    say_log_end "$TEMP/fetch-s3.log" 4
    tests_skipped "no S3 here ($WITHOUT_S3)"
}

# Fetches MkDocs, or records why it is missing.
docs_tools() {
    ((FAST == 0)) || { WITHOUT_MKDOCS='--fast'; return; }
    with_ticker 'fetching MkDocs' "$TEMP/fetch-docs.log" dev/docs.sh fetch && return
    WITHOUT_MKDOCS=$(sed -n '1s/^error: //p' "$TEMP/fetch-docs.log")
    tests_skipped "the site of docs/ is not built ($WITHOUT_MKDOCS)"
}

# Fetches Flink's command line, or records why it is missing.
flink_tools() {
    if [[ -n $WITHOUT_KAFKA ]]; then
        WITHOUT_FLINK='its tests need Apache Kafka too'
        return
    fi
    with_ticker "fetching Flink's command line" "$TEMP/fetch-flink.log" dev/flink.sh fetch && return
    WITHOUT_FLINK=$(sed -n '1s/^error: //p' "$TEMP/fetch-flink.log")
    tests_skipped "no Flink command line here ($WITHOUT_FLINK)"
}

# Checks that Node.js is new enough, or records why not.
browser_tools() {
    ((FAST == 0)) || { WITHOUT_BROWSER='--fast'; return; }
    node_is_new && return
    WITHOUT_BROWSER="Node.js $(node --version) is too old, 20 or newer is needed"
    tests_skipped "no JavaScript checks and no browser tests here ($WITHOUT_BROWSER)"
}

servers() {
    dev/redis.sh start --port "$TEST_REDIS_PORT" --dir "$TEMP/redis" || return
    if [[ -z $WITHOUT_S3 ]]; then
        dev/s3.sh start --port "$TEST_S3_PORT" --dir "$TEMP/s3" || return
        dev/s3.sh start --port "$TEST_S3_FAULTS_PORT" --dir "$TEMP/s3-faults" --faults "$SEED" || return
    fi
    [[ -n $WITHOUT_KAFKA ]] || dev/kafka.sh start --port "$TEST_KAFKA_PORT" --dir "$TEMP/kafka"
}

# Prints the path of cargo-nextest: an installed one, or the one that dev/lint.sh installed. Fails if there is none.
nextest_path() {
    local wheel=$ROOT/.windrow/venv-lint/bin/cargo-nextest
    command -v cargo-nextest || { [[ -x $wheel ]] && echo "$wheel"; }
}

compile_tests() {
    local nextest
    if nextest=$(nextest_path); then
        "$nextest" nextest run --workspace --locked --all-targets --no-run
    else
        cargo test --workspace --locked --all-targets --no-run
    fi
}

cargo_tests() {
    export WINDROW_TEST_REDIS=localhost:$TEST_REDIS_PORT
    [[ -n $WITHOUT_KAFKA ]] || export WINDROW_TEST_KAFKA=localhost:$TEST_KAFKA_PORT
    [[ -n $WITHOUT_FLINK ]] || export WINDROW_TEST_FLINK=$ROOT/dev/flink.sh
    if [[ -z $WITHOUT_S3 ]]; then
        echo "the faults of S3 have the seed $SEED; to repeat them: WINDROW_TEST_SEED=$SEED ./test.sh"
        export WINDROW_TEST_S3=http://localhost:$TEST_S3_PORT WINDROW_TEST_S3_FAULTS=http://localhost:$TEST_S3_FAULTS_PORT
    fi
    local code=0 nextest
    if nextest=$(nextest_path); then
        # The output of passed tests has the lines of skipped tests, which are counted.
        "$nextest" nextest run --workspace --locked --no-fail-fast --all-targets --no-tests=fail \
            --success-output=immediate --failure-output=final --final-status-level=slow --hide-progress-bar || code=$?
    else
        echo 'cargo test runs the tests: cargo-nextest is not here'
        # The time of each test is an unstable option of the test programs: only they get the permission, because it would
        # change the compiler's fingerprints.
        export "CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')_RUNNER=env RUSTC_BOOTSTRAP=1"
        cargo test --workspace --locked --no-fail-fast --all-targets -- --show-output -Z unstable-options --report-time ||
            code=$?
    fi
    cargo test --workspace --locked --no-fail-fast --doc || code=$?
    return "$code"
}

javascript_packages() {
    npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund && return
    echo 'the packages of tests/browser could not be fetched from the npm registry (see above)'
    return 1
}

javascript_format_and_lint() { tests/browser/node_modules/.bin/biome ci --error-on-warnings --colors=off; }

javascript_types() {
    local project
    for project in crates/web tests/browser; do
        tests/browser/node_modules/.bin/tsc -p "$project/jsconfig.json" || return
    done
}

# The schema of the pipeline file, and the description of the REST API.
schemas() { node --test --test-reporter=tap tests/browser/schema.test.mjs tests/browser/openapi.test.mjs; }

# The job's pages on made-up answers: hostile values, empty and broken states.
pages() {
    WINDROW_SCREENSHOTS=${WINDROW_SCREENSHOTS:-$TEMP/screenshots} \
        node --test --test-reporter=tap --test-concurrency=2 tests/browser/{layout,use,values}.test.mjs
}

notebooks_venv() { venv_make "$VENV" producer/requirements.txt; }

# Checks Docker where an engine runs or where it was asked for, and says so where not.
docker_stage() {
    local options=()
    if docker version >/dev/null 2>&1; then
        options=(--real-images)
    elif [[ ${WINDROW_TEST_DOCKER:-0} != 1 ]]; then
        say_warn 'Docker is left out: no engine runs here. WINDROW_TEST_DOCKER=1 checks it on an engine of its own'
        return
    fi
    stage 'Docker: image, start.sh, stop.sh' count_lines dev/docker-test.sh "${options[@]}"
}

newcomer() {
    local options=() kafka redis ui kafka_ui code=0
    { read -r kafka && read -r redis && read -r ui && read -r kafka_ui; } < <(ports_free 4) || return
    [[ -n $WITHOUT_KAFKA ]] || options=(--python "$VENV/bin/python")
    [[ -n $WITHOUT_KAFKA$WITHOUT_BROWSER ]] || options+=(--browser)
    export WINDROW_SCREENSHOTS=${WINDROW_SCREENSHOTS:-$TEMP/screenshots}
    local settings=(WINDROW_HOME="$TEMP/stack" WINDROW_BIN="$BINARY" WINDROW_KAFKA_PORT="$kafka"
        WINDROW_REDIS_PORT="$redis" WINDROW_UI_PORT="$ui" WINDROW_KAFKA_UI_PORT="$kafka_ui")
    env "${settings[@]}" dev/check-failures.sh || code=1
    env "${settings[@]}" dev/check-stack.sh "${options[@]}" || code=1
    return "$code"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

BEGAN=$SECONDS
printf '%s── tools%s\n' "$BOLD" "$PLAIN"
CURRENT=tools
tools
kafka_tools
s3_tools
flink_tools
docs_tools
browser_tools
{ read -r TEST_REDIS_PORT && read -r TEST_KAFKA_PORT && read -r TEST_S3_PORT && read -r TEST_S3_FAULTS_PORT; } < <(ports_free 4)

# Mostly a download, so it runs beside the first stages.
((FAST)) || [[ -n $WITHOUT_KAFKA ]] || stage_begin 'python for the notebooks' count_none notebooks_venv
stage 'counts of the stages' count_lines dev/check-stages.sh
stage 'format' count_one cargo fmt --all --check
stage 'lints' count_one cargo clippy --workspace --all-targets --locked -- -D warnings
stage 'docs' count_one env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
if [[ -z $WITHOUT_MKDOCS ]]; then
    stage 'site of docs, links' count_one dev/docs.sh check
else
    ((FAST)) || SKIPPED=$((SKIPPED + 1))
fi
stage 'lints of scripts, workflows, spelling, licences' count_lines dev/lint.sh
if [[ -z $WITHOUT_BROWSER ]]; then
    stage 'packages for JavaScript' count_none javascript_packages
    stage 'JavaScript: format and lint' count_one javascript_format_and_lint
    stage 'JavaScript: types' count_one javascript_types
    stage 'JSON Schema and OpenAPI' count_node schemas
else
    ((FAST)) || SKIPPED=$((SKIPPED + 3))
fi
stage 'metrics and alert rules' count_lines deploy/monitoring/check.sh
stage 'servers for the tests' count_none servers
stage 'compilation of the tests' count_none compile_tests
# Most of these tests wait: the pages use the cores meanwhile.
((FAST)) || [[ -n $WITHOUT_BROWSER ]] || stage_begin 'pages in a browser' count_node pages
stage 'unit, property, conformance and end-to-end tests' count_cargo cargo_tests
if ((FAST == 0)); then
    if [[ -z $WITHOUT_BROWSER ]]; then
        stage_end 'pages in a browser'
    else
        SKIPPED=$((SKIPPED + 2))
    fi
    stage 'installation with pip and cargo' count_lines dev/check-packages.sh
    if [[ -z $WITHOUT_KAFKA ]]; then stage_end 'python for the notebooks'; else SKIPPED=$((SKIPPED + 2)); fi
    stage 'start.sh, notebooks, stop.sh' count_lines newcomer
    docker_stage
fi
printf 'took %d s\n' "$((SECONDS - BEGAN))"
