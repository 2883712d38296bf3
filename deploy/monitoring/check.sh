#!/usr/bin/env bash
# Checks metrics, alert rules and the dashboard with Prometheus' own tool.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)

usage() {
    cat <<'EOF'
usage: deploy/monitoring/check.sh [--token-file FILE] [URL]

Without URL: checks the metrics in the snapshots of the tests, prometheus.yml, alerts.yml with its tests, and
grafana-dashboard.json. Every alert needs a test in which it fires and one in which it does not; rules and dashboard must
name existing metrics. With URL (http://localhost:8081/metrics): checks only the metrics of that instance. Prints a line
`ok …` or `FAILED …` for each. Needs promtool (Debian: apt-get install prometheus) and python3; with URL, curl.

  --token-file FILE   a file with the token of the instance, where it has one
EOF
}

URL='' TOKEN_FILE=''
while (($# > 0)); do
    case $1 in
        --token-file) TOKEN_FILE=${2:?--token-file needs a file}; shift ;;
        -h | --help) usage; exit 0 ;;
        -*) echo "error: unknown argument: $1" >&2; usage >&2; exit 2 ;;
        *) URL=$1 ;;
    esac
    shift
done
if ! command -v promtool >/dev/null; then
    echo 'error: promtool is missing; on Debian: apt-get install prometheus' >&2
    exit 1
fi

# Metrics that identify an instance, and metrics of Prometheus' own libraries.
NEEDS_NO_PANEL='_info$|^windrow_report_timestamp_seconds$|^process_(virtual_memory_bytes|start_time_seconds|threads)$'
TEMP=$(mktemp -d "${TMPDIR:-/tmp}/windrow-monitoring.XXXXXX")
trap 'rm -rf -- "$TEMP"' EXIT
FAILED=0

# check TITLE COMMAND…: prints whether the command succeeded, and its output if not.
check() {
    local title=$1
    shift
    if "$@" >"$TEMP/output" 2>&1; then
        echo "ok $title"
    else
        echo "FAILED $title"
        sed 's/^/    /' "$TEMP/output"
        FAILED=1
    fi
}

# golden NAME: prints the metrics in a snapshot of the tests.
golden() { awk 'marks < 2 && /^---$/ { marks++; next } marks >= 2' "$ROOT/crates/web/tests/metrics/snapshots/metrics__$1.snap"; }

golden_metrics() { golden "$1" | promtool check metrics; }

# fetch: prints the metrics of the instance. The token is in no process' arguments.
fetch() {
    if [[ -n $TOKEN_FILE ]]; then
        printf 'header = "Authorization: Bearer %s"\n' "$(tr -d '\r\n' <"$TOKEN_FILE")" | curl -fsS --config - "$URL"
    else
        curl -fsS "$URL"
    fi
}

served_metrics() { fetch >"$TEMP/served" && promtool check metrics <"$TEMP/served"; }

# config: checks prometheus.yml with a made-up token file, which promtool requires.
config() {
    cp "$HERE/prometheus.yml" "$HERE/alerts.yml" "$TEMP"
    echo token >"$TEMP/windrow-token"
    promtool check config "$TEMP/prometheus.yml"
}

# tested: checks that each alert has a test in which it fires, and one in which it does not.
tested() {
    local alert untested=0
    while read -r alert; do
        awk -v alert="$alert" '
            $1 == "alertname:" { mine = $2 == alert }
            mine && $1 == "exp_alerts:" { $2 == "[]" ? silent++ : fires++ }
            END { exit !(silent && fires) }' "$HERE/alerts_test.yml" && continue
        echo "$alert needs a test in which it fires, and one in which it does not"
        untested=1
    done < <(sed -n 's/^ *- alert: //p' "$HERE/alerts.yml")
    return "$untested"
}

dashboard() {
    python3 "$HERE/dashboard.py" "$HERE/grafana-dashboard.json" >"$TEMP/dashboard.yml" &&
        promtool check rules "$TEMP/dashboard.yml"
}

# names: compares the metrics in rules and dashboard with docs/metrics.md, which a test compares with the code.
names() {
    sed -n 's/^| .\(\(windrow\|process\)_[a-z_]*\). | .*/\1/p' "$ROOT/docs/metrics.md" | sort -u >"$TEMP/there"
    grep -ohE '\b(windrow|process)_[a-z_]+' "$HERE/alerts.yml" "$TEMP/dashboard.yml" | sed -E 's/_(bucket|sum|count)$//' |
        sort -u >"$TEMP/asked"
    [[ -s $TEMP/there && -s $TEMP/asked ]] || return 1
    if grep -vxFf "$TEMP/there" "$TEMP/asked" >"$TEMP/unknown"; then
        sed 's/$/ is no metric/' "$TEMP/unknown"
        return 1
    fi
}

# all_metrics_used: checks that each metric is in a rule or a panel.
all_metrics_used() {
    if grep -vxFf "$TEMP/asked" "$TEMP/there" | grep -vE "$NEEDS_NO_PANEL" >"$TEMP/unseen"; then
        sed 's/$/ is in no rule and in no panel/' "$TEMP/unseen"
        return 1
    fi
}

if [[ -n $URL ]]; then
    check "metrics of $URL" served_metrics
else
    check 'metrics of a full report' golden_metrics full
    check 'metrics of an empty report' golden_metrics empty
    check 'prometheus.yml' config
    check 'alerts.yml' promtool check rules "$HERE/alerts.yml"
    check 'alerts_test.yml' promtool test rules "$HERE/alerts_test.yml"
    check 'every alert has a test in which it fires, and one in which it does not' tested
    check 'grafana-dashboard.json' dashboard
    check 'rules and dashboard name existing metrics' names
    check 'every metric is in a rule or a panel' all_metrics_used
fi
((FAILED == 0))
