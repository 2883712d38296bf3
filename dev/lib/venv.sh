# shellcheck shell=bash
# Python packages in folders of their own: nothing of the system's Python is touched. Needs python3-venv.

# venv_make VENV REQUIREMENTS: makes the folder VENV with the packages of that file; harmless when it is there and the
# file has not changed. Two callers at once make it once.
venv_make() {
    local venv=$1 requirements=$2 stamp
    stamp=$(cksum <"$requirements")
    mkdir -p "$(dirname "$venv")"
    (
        flock 8
        [[ $(cat "$venv/.complete" 2>/dev/null) != "$stamp" ]] || exit 0
        rm -rf "$venv"
        python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" &&
            echo "$stamp" >"$venv/.complete"
    ) 8>"$venv.lock"
}
