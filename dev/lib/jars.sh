# Fetches jars from Maven Central once. Uses say.sh and java.sh.
# shellcheck shell=bash

# jars_there POM LIBS: returns whether LIBS holds all jars of POM.
jars_there() { [[ $(cat "$2/.complete" 2>/dev/null) == "$(cksum <"$1")" ]]; }

# jars_fetch NAME POM LIBS [MAVEN_OPTION]…: fetches the run-time jars of POM into LIBS; returns 3 if that fails. It fetches
# into a folder beside LIBS and renames it: an interrupted fetch never looks complete. Of two concurrent callers, only one fetches.
jars_fetch() {
    jars_there "$2" "$3" && return
    mkdir -p "$(dirname "$3")"
    (
        flock 8
        jars_there "$2" "$3" || jars_fetch_alone "$@"
    ) 8>"$3.lock"
}

jars_fetch_alone() {
    local name=$1 pom=$2 libs=$3 log reason
    local out=$libs.fetching
    shift 3
    command -v mvn >/dev/null || { say_error "Maven (mvn) is not installed: it fetches $name"; return 3; }
    rm -rf "$out"
    log=$(mktemp)
    if ! mvn -B -q -Dstyle.color=never -f "$pom" "$@" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$out" >"$log" 2>&1; then
        reason=$(jars_reason "$log")
        say_error "$name could not be fetched from Maven Central$reason"
        [[ -n $reason ]] || grep -m 3 ERROR "$log" >&2 || tail -n 3 "$log" >&2
        rm -rf "$log" "$out"
        return 3
    fi
    rm -rf "$log" "$libs"
    cksum <"$pom" >"$out/.complete"
    mv "$out" "$libs"
}

# jars_reason LOG: prints why Maven failed, if the log shows a usual reason. Without a plugin in its cache, Maven
# names the plugin, not the connection.
jars_reason() {
    if grep -q 'No space left on device' "$1"; then
        echo ': the disk is full'
    elif grep -qE 'No plugin found for prefix|Could not transfer|Unknown host|Connection refused|Network is unreachable' "$1"; then
        echo ': repo.maven.apache.org cannot be reached (proxies belong into ~/.m2/settings.xml)'
    fi
}

# jars_run LIBS ARGUMENT…: runs a program of these jars with flags that make a short-lived JVM start fast.
jars_run() {
    local libs=$1
    shift
    "$(java_path)" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$libs/*" "$@"
}
