# shellcheck shell=bash
# The output of the scripts: numbered steps, results, hints. Colours and tickers only on a terminal.
#
# Progress goes to stdout, warnings and errors to stderr. No function here ends the script.

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' GREEN=$'\e[32m' YELLOW=$'\e[33m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' GREEN='' YELLOW='' RED='' PLAIN=''
fi

TICKER_PID=''
STEP_NUMBER=0
STEP_COUNT=0
STEP_TITLE=''
STEP_BEGAN=$SECONDS

# say_steps COUNT: sets the number of steps.
say_steps() {
    STEP_COUNT=$1
    STEP_NUMBER=0
}

# say_step TITLE: begins the next step and its clock.
say_step() {
    STEP_NUMBER=$((STEP_NUMBER + 1))
    STEP_TITLE=$1
    STEP_BEGAN=$SECONDS
    printf '%s[%d/%d] %s%s\n' "$BOLD" "$STEP_NUMBER" "$STEP_COUNT" "$STEP_TITLE" "$PLAIN"
}

# say_done TEXT: prints the step's result, with its duration from one second on.
say_done() {
    local took=$((SECONDS - STEP_BEGAN)) seconds=''
    ((took < 1)) || seconds=" ${DIM}(${took} s)${PLAIN}"
    printf '      %s✓%s %s%s\n' "$GREEN" "$PLAIN" "$1" "$seconds"
}

say_info() { printf '      %s\n' "$1"; }
say_warn() { printf '      %s! %s%s\n' "$YELLOW" "$1" "$PLAIN" >&2; }
say_error() { printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2; }
say_hint() { printf '%shint:%s %s\n' "$BOLD" "$PLAIN" "$1" >&2; }

# say_log_end FILE [LINES]: prints the end of a log, indented.
say_log_end() {
    [[ -s $1 ]] || return 0
    printf '%s      ── end of %s ──%s\n' "$DIM" "$1" "$PLAIN" >&2
    tail -n "${2:-20}" -- "$1" | sed 's/^/      │ /' >&2
}

# ticker_start TEXT: on a terminal, shows a line that moves, with the seconds so far.
ticker_start() {
    [[ -t 1 ]] || return 0
    (
        trap - EXIT ERR INT TERM
        marks=('|' '/' '-' "\\") began=$SECONDS i=0
        while kill -0 "$$" 2>/dev/null; do
            printf '\r      %s %s %s(%d s)%s ' "${marks[i++ % 4]}" "$1" "$DIM" "$((SECONDS - began))" "$PLAIN"
            sleep 0.25
        done
    ) &
    TICKER_PID=$!
}

# ticker_stop: clears the ticker's line, if there is one.
ticker_stop() {
    [[ -n $TICKER_PID ]] || return 0
    kill "$TICKER_PID" 2>/dev/null || true
    wait "$TICKER_PID" 2>/dev/null || true
    TICKER_PID=''
    printf '\r\e[K'
}

# with_ticker TEXT LOG COMMAND…: runs the command with its output in LOG and returns its exit code. It runs in a subshell:
# a trap of the script must not write into LOG.
with_ticker() {
    local text=$1 log=$2 code=0
    shift 2
    ticker_start "$text"
    ("$@") >"$log" 2>&1 || code=$?
    ticker_stop
    return "$code"
}
