#!/usr/bin/env bash
# Builds, serves and checks the site of docs/ (MkDocs with Material, in a folder of its own below .windrow).
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
# shellcheck source=lib/say.sh
source "$HERE/lib/say.sh"
# shellcheck source=lib/venv.sh
source "$HERE/lib/venv.sh"

VENV=$ROOT/.windrow/venv-docs
# Without this, Material prints a notice about its successor at each build.
export NO_MKDOCS_2_WARNING=1

usage() {
    cat <<'EOF'
usage: dev/docs.sh build [DIR]          builds the site in DIR, by default .windrow/site
       dev/docs.sh serve [HOST:PORT]    serves it, by default on 127.0.0.1:8000, and rebuilds it after each change
       dev/docs.sh check                builds it in a temporary folder; checks its links and those of all Markdown files
       dev/docs.sh fetch                fetches the Python packages that the commands above need, once

A wrong link, an anchor without a heading and a page that the navigation omits end build and check with a failure. Needs
python3-venv. The pages also work from the disk (file://), except for the search.
EOF
}

fetch() {
    local log=$ROOT/.windrow/venv-docs.log
    mkdir -p "$ROOT/.windrow"
    venv_make "$VENV" "$ROOT/docs/requirements.txt" >"$log" 2>&1 && return
    say_error 'MkDocs could not be installed from PyPI'
    say_log_end "$log" 5
    return 1
}

mkdocs() { (cd "$ROOT" && "$VENV/bin/mkdocs" "$@"); }

check() {
    local site code=0
    site=$(mktemp -d "${TMPDIR:-/tmp}/windrow-site.XXXXXX")
    mkdocs build --strict --site-dir "$site" || code=$?
    "$VENV/bin/python" "$HERE/check_links.py" --site "$site" || code=$?
    rm -rf -- "$site"
    return "$code"
}

[[ ${2:-} != -h && ${2:-} != --help ]] || set -- --help
case ${1:-} in
    build)
        site=$(realpath -m -- "${2:-$ROOT/.windrow/site}")
        fetch
        mkdocs build --strict --site-dir "$site"
        echo "$site/index.html"
        ;;
    serve) fetch && mkdocs serve --dev-addr "${2:-127.0.0.1:8000}" ;;
    check) fetch && check ;;
    fetch) fetch ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
