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
        python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" &&
            echo "$stamp" >"$venv/.complete"
    ) 8>"$venv.lock"
}
