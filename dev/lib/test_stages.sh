# shellcheck shell=bash
# The stages of ./test.sh: each runs one command, counts what passed and failed, and ends the run if something failed.
#
# Owns the counts. Uses say.sh and process.sh; TEMP is the folder of the logs, and FAST is 1 with --fast.

PASSED=0 FAILED=0 SKIPPED=0
# The title of the stage that runs; empty between stages.
CURRENT=''

# The stages that run in the background, by title: their process groups, counts, logs, and when they began.
declare -A BACKGROUND_GROUP=() BACKGROUND_COUNT=() BACKGROUND_LOG=() BACKGROUND_BEGAN=()

stage_log() { printf '%s\n' "$TEMP/${1//[^[:alnum:]]/-}.log"; }

# stage TITLE COUNT COMMAND…: runs the command and shows its output only on failure. `set -e` is off inside the command.
# COUNT LOG CODE adds to PASSED and FAILED. The first failing stage ends the run.
stage() {
    local title=$1 count=$2 began=$SECONDS code=0 log
    log=$(stage_log "$title")
    shift 2
    stage_title "$title"
    with_ticker "$title" "$log" "$@" || code=$?
    stage_result "$title" "$count" "$log" "$code" "$began"
}

# stage_begin TITLE COUNT COMMAND…: begins a stage that runs beside others until stage_end.
stage_begin() {
    local title=$1 count=$2 log
    log=$(stage_log "$title")
    shift 2
    # With job control the command gets a process group of its own, which can be ended as a whole.
    set -m
    (
        trap - EXIT INT TERM
        "$@"
    ) >"$log" 2>&1 </dev/null &
    BACKGROUND_GROUP[$title]=$!
    set +m
    BACKGROUND_COUNT[$title]=$count
    BACKGROUND_LOG[$title]=$log
    BACKGROUND_BEGAN[$title]=$SECONDS
}

# stage_end TITLE: waits for a stage that stage_begin began, and counts it.
stage_end() {
    local title=$1 code=0 group=${BACKGROUND_GROUP[$1]}
    stage_title "$title"
    with_ticker "$title" /dev/null wait_for_exit "$group"
    wait "$group" || code=$?
    unset "BACKGROUND_GROUP[$title]"
    stage_result "$title" "${BACKGROUND_COUNT[$title]}" "${BACKGROUND_LOG[$title]}" "$code" "${BACKGROUND_BEGAN[$title]}"
}

wait_for_exit() { while process_born "$1" >/dev/null; do sleep 0.2; done; }

# Ends the stages that still run in the background.
stages_kill() {
    local group
    for group in "${BACKGROUND_GROUP[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
    for group in "${BACKGROUND_GROUP[@]}"; do wait "$group" 2>/dev/null || true; done
}

stage_title() {
    CURRENT=$1
    printf '%s── %s%s\n' "$BOLD" "$1" "$PLAIN"
}

# stage_result TITLE COUNT LOG CODE BEGAN: counts a stage that has ended, and ends the run if it failed.
stage_result() {
    local title=$1 count=$2 log=$3 code=$4 began=$5 failed_before=$FAILED
    "$count" "$log" "$code"
    if ((code != 0 || FAILED > failed_before)); then
        ((FAILED > failed_before)) || FAILED=$((FAILED + 1))
        show_failure "$log"
        say_error "$title failed"
        exit 1
    fi
    printf '   %s✓%s %s(%d s)%s\n' "$GREEN" "$PLAIN" "$DIM" "$((SECONDS - began))" "$PLAIN"
    CURRENT=''
}

# Shows why a stage failed: the reports of the failed tests, or else the end of the log.
show_failure() {
    if grep -q '^ *Summary \[.* failed' "$1"; then
        awk '/^ *Summary \[/ { show = 1 } /^running [0-9]+ tests?$/ { exit } show { print "   │ " $0 }' "$1" | sed -n '1,300p' >&2
    elif grep -q '^failures:$' "$1"; then
        awk '/^failures:$/ { show = 1 } show { print "   │ " $0 } /^test result:/ { show = 0 }' "$1" | sed -n '1,300p' >&2
    elif grep -q '^ *not ok ' "$1"; then
        # A report ends with `...` two columns right of its first line; deeper ones belong to the report.
        awk '/^ *not ok / { show = 1; match($0, /^ */); end = substr($0, 1, RLENGTH) "  ..." }
             show         { print "   │ " $0 }
             $0 == end    { show = 0 }' "$1" | sed -n '1,300p' >&2
    else
        say_log_end "$1" 80
    fi
}

# Counts a stage as one check.
count_one() { (($2 == 0)) && PASSED=$((PASSED + 1)) || FAILED=$((FAILED + 1)); }

# Counts a preparation only if it fails.
count_none() { :; }

# Counts the summaries of cargo-nextest and `cargo test`. A test that skipped itself did not pass. With CI=true it fails
# the run.
count_cargo() {
    local passed failed skipped
    read -r passed failed skipped < <(awk '
        # "Summary [ 9.1s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 0 skipped"
        /^ *Summary \[/ {
            sub(/^.*run: /, "")
            for (count = split($0, parts, ", "); count > 0; count--) {
                if (parts[count] ~ / passed/) passed += parts[count]
                if (parts[count] ~ / (failed|timed out|exec failed)/) failed += parts[count]
            }
        }
        /^test result:/ { passed += $4; failed += $6 }
        /^ *skipped: /  { skipped++ }
        END             { print passed + 0, failed + 0, skipped + 0 }' "$1")
    PASSED=$((PASSED + passed - skipped))
    FAILED=$((FAILED + failed))
    SKIPPED=$((SKIPPED + skipped))
    if [[ ${CI:-} == true ]] && ((skipped > 0 && FAST == 0)); then
        FAILED=$((FAILED + skipped))
        say_error "CI=true: $skipped tests skipped themselves"
    fi
    grep -E '^test result:|^     Running|^   Doc-tests|^ *skipped: |^ *Summary \[|^cargo test runs' "$1" | sed 's/^ */   /' || true
    echo '   the ten slowest tests:'
    {
        sed -n 's/^test \(.*\) \.\.\. .* <\([0-9.]*\)s>$/\2 \1/p' "$1"
        sed -nE 's|^ *[A-Z]+ \[ *([0-9.]+)s\] (\([^)]*\) )?(.*)$|\1 \3|p' "$1"
    } | sort -rn | uniq | awk 'NR <= 10 { time = $1; $1 = ""; printf "   %7.1f s %s\n", time, $0 }'
}

# Counts the lines `ok …` and `FAILED …`, and shows those that say what was left out.
count_lines() {
    local passed failed
    passed=$(grep -c '^ok ' "$1") || true
    failed=$(grep -c '^FAILED ' "$1") || true
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    grep -E '^(ok|FAILED|left out:) ' "$1" | sed 's/^/   /' || true
}

# Counts node's summary.
count_node() {
    local passed failed
    passed=$(sed -n 's/^# pass //p' "$1" | tail -n 1)
    failed=$(sed -n 's/^# fail //p' "$1" | tail -n 1)
    PASSED=$((PASSED + ${passed:-0}))
    FAILED=$((FAILED + ${failed:-0}))
    sed -n 's/^# \(tests\|pass\|fail\) /   \1 /p' "$1"
}

# tests_skipped REASON: says loudly that tests are skipped. With CI=true that is a failure.
tests_skipped() {
    say_warn "$1"
    [[ ${CI:-} != true ]] || { say_error 'CI=true: tests must not be skipped'; return 1; }
    say_warn 'the tests that need it are SKIPPED; all others run'
}
