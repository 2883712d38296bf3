# shellcheck shell=bash
# Installs what the scripts need from the system: as root with apt-get; otherwise it prints the exact command.
# Uses say.sh and java.sh. Never installs a Rust toolchain.

MISSING_PACKAGES=()

# need_package PACKAGE CHECK…: adds the package to the missing ones if the check command fails.
need_package() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || MISSING_PACKAGES+=("$package")
}

has_command() { command -v "$1" >/dev/null 2>&1; }
has_file() { compgen -G "$1" >/dev/null; }
has_venv() { python3 -c 'import ensurepip, venv'; }

# The packages of each part of the project, with their names in Debian and Ubuntu.
need_redis() { need_package redis-server has_command redis-server; }
need_kafka() {
    java_path >/dev/null || MISSING_PACKAGES+=("$(java_package)")
    need_package maven has_command mvn
}
# librdkafka is built from source together with the binary.
need_build_tools() {
    need_package build-essential has_build_tools
    need_package pkg-config has_command pkg-config
    need_package zlib1g-dev has_file '/usr/include/zlib.h'
}
need_python() { need_package python3-venv has_venv; }
need_shellcheck() { need_package shellcheck has_command shellcheck; }
# For promtool, which reads metrics, alert rules and their tests.
need_prometheus() {
    need_package prometheus has_command promtool
    need_package python3 has_command python3
}

# For the JavaScript checks and the tests of the pages; windrow itself needs none of them.
need_browser() {
    need_package chromium has_command chromium
    need_package nodejs has_command node
    need_package npm has_command npm
}

# Playwright needs Node.js 20; older systems have an older one.
node_is_new() { (($(node --version | sed 's/^v\([0-9]*\).*/\1/') >= 20)); }

has_build_tools() { has_command gcc && has_command g++ && has_command make; }

# java_package: prints the oldest suitable JDK of this release of Debian or Ubuntu, or its default one if there are no
# package lists yet.
java_package() {
    local package
    for package in openjdk-17-jdk-headless openjdk-21-jdk-headless openjdk-25-jdk-headless; do
        has_candidate "$package" && { echo "$package"; return; }
    done
    echo default-jdk-headless
}

has_candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# install_missing LOG: installs the missing packages and empties their list. Prints on failure why, and what to do.
install_missing() {
    local log=$1 packages=("${MISSING_PACKAGES[@]}")
    MISSING_PACKAGES=()
    ((${#packages[@]} > 0)) || return 0
    if ! has_command apt-get; then
        say_error "missing here: ${packages[*]} (Debian's names; no apt-get to install them with)"
        say_hint "install them with this system's package manager, then run this again"
        return 1
    fi
    if ((EUID != 0)); then
        say_error "missing here: ${packages[*]}"
        say_hint "run:  sudo apt-get update && sudo apt-get install -y ${packages[*]}"
        return 1
    fi
    local -x DEBIAN_FRONTEND=noninteractive
    with_ticker "installing ${packages[*]}" "$log" apt_install "${packages[@]}" || {
        say_error "could not install ${packages[*]}$(apt_reason "$log")"
        say_log_end "$log" 6
        say_hint "run:  apt-get update && apt-get install -y ${packages[*]}"
        return 1
    }
    say_info "installed ${packages[*]}"
}

# apt_reason LOG: prints why apt-get failed, if the log shows a usual reason.
apt_reason() {
    local servers
    if grep -q 'No space left on device\|enough free space' "$1"; then
        echo ': the disk is full'
    elif grep -q 'Could not get lock' "$1"; then
        echo ': another program is installing packages'
    elif grep -q '^ *E: Failed to fetch\|^[EW]: Failed to fetch' "$1"; then
        servers=$(sed -n 's|.*Failed to fetch [a-z]*://\([^/]*\)/.*|\1|p' "$1" | sort -u | paste -sd ' ')
        echo ": the package server $servers cannot be reached"
    fi
}

# Fetches the package lists only if the packages are not in those of this machine. policy-rc.d keeps Debian from starting
# the services of these packages; an existing policy-rc.d stays.
apt_install() (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f -- "$policy"' EXIT
        install -m 755 /dev/stdin "$policy" <<<$'#!/bin/sh\nexit 101'
    fi
    # An earlier installation that was interrupted would make every later one fail.
    [[ -z $(dpkg --audit) ]] || dpkg --configure -a || exit
    wait_for_lock=(-o DPkg::Lock::Timeout=60)
    apt-get "${wait_for_lock[@]}" install -y --no-install-recommends "$@" || {
        apt-get "${wait_for_lock[@]}" update &&
            apt-get "${wait_for_lock[@]}" install -y --no-install-recommends "$@"
    } || exit
    # Prometheus must not start at the next boot either.
    if [[ " $* " == *' prometheus '* ]] && has_command systemctl; then
        systemctl disable prometheus.service || true
    fi
)

# find_rust WANTED: puts cargo on the PATH and checks that its version is at least WANTED.
find_rust() {
    local wanted=$1 have
    has_command cargo || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    if ! has_command cargo; then
        say_error "no Rust toolchain (cargo) found; Windrow needs Rust $wanted or newer"
        say_hint "run:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
        return 1
    fi
    pinned_rust || default_rust || return
    have=$(cargo --version | sed 's/^cargo \([0-9.]*\).*/\1/')
    if [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) != "$wanted" ]]; then
        say_error "cargo $have is too old; Windrow needs Rust $wanted or newer"
        say_hint "run:  rustup update stable"
        return 1
    fi
}

# pinned_rust: succeeds if the toolchain of rust-toolchain.toml works. rustup fetches a missing one, where it may.
pinned_rust() {
    local channel toolchains text='looking at the Rust toolchain'
    has_command rustup || return 0
    channel=${RUSTUP_TOOLCHAIN:-$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)}
    toolchains=$(rustup toolchain list 2>/dev/null) || toolchains=''
    if [[ $'\n'$toolchains != *$'\n'"$channel"* ]]; then
        text="fetching the Rust toolchain $channel"
        say_info "the Rust toolchain $channel is not installed: rustup fetches it (once, some minutes)"
    fi
    with_ticker "$text" /dev/null cargo --version
}

# default_rust: selects rustup's default toolchain instead of the pinned one.
default_rust() {
    local toolchain
    toolchain=$(rustup default 2>/dev/null | sed 's/ .*//') || toolchain=''
    if [[ -z $toolchain ]]; then
        say_error 'the Rust toolchain of rust-toolchain.toml could not be fetched, and rustup has no default toolchain'
        say_hint 'check that this machine reaches static.rust-lang.org, or run:  rustup default TOOLCHAIN'
        return 1
    fi
    export RUSTUP_TOOLCHAIN=$toolchain
    say_warn "the Rust toolchain of rust-toolchain.toml is not installed and could not be fetched: using $toolchain"
}
