# shellcheck shell=bash
# Installs Python packages into separate folders; the system's Python stays as it is. Needs python3-venv.

# venv_make VENV REQUIREMENTS: makes the folder VENV with the packages of REQUIREMENTS, unless VENV holds them already. Of
# two concurrent callers, only one makes the folder.
venv_make() {
    local venv=$1 requirements=$2 stamp
    stamp=$(cksum <"$requirements")
    mkdir -p "$(dirname "$venv")"
    (
        flock 8
        [[ $(cat "$venv/.complete" 2>/dev/null) != "$stamp" ]] || exit 0
        rm -rf "$venv"
        python3 -m venv "$venv" || { say_error "python3 cannot make the folder $venv"; exit 1; }
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" || {
            say_error "the packages of $requirements could not be installed from PyPI (see above)"
            exit 1
        }
        echo "$stamp" >"$venv/.complete"
    ) 8>"$venv.lock"
}

# venv_reason LOG: prints why pip failed, if the log shows a usual reason. Without a connection pip ends with "Could not find
# a version".
venv_reason() {
    if grep -q 'No space left on device' "$1"; then
        echo ': the disk is full'
    elif grep -qE 'ConnectionError|ProxyError|connection broken|NameResolutionError' "$1"; then
        echo ': pypi.org cannot be reached'
    fi
}
