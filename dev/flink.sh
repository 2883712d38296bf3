#!/usr/bin/env bash
# Runs Flink's own command line for the tests of Windrow's Flink REST, and its window operators, without a cluster. Fetched
# once from Maven Central.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/say.sh
source "$HERE/lib/say.sh"
# shellcheck source=lib/java.sh
source "$HERE/lib/java.sh"
# shellcheck source=lib/jars.sh
source "$HERE/lib/jars.sh"

VERSION=${WINDROW_FLINK_VERSION:-$(sed -n 's|.*<flink.version>\(.*\)</flink.version>.*|\1|p' "$HERE/flink/pom.xml")}
LIBS=${WINDROW_FLINK_LIBS:-$HERE/../.windrow/flink/$VERSION/libs}

usage() {
    cat <<'EOF'
usage: dev/flink.sh fetch                 fetch the jars (once; run does it too when needed)
       dev/flink.sh run [--] ARGUMENT…    run the command line, such as: dev/flink.sh run -- list -m localhost:8081
       dev/flink.sh read HOST:PORT JOB [TRIGGER]…
                                          read every answer of that server with Flink's own client
       dev/flink.sh windows EVENTS SIZE SLIDE LATENESS GAP LATENESS
                                          print what Flink's window operators make of a file of events (all lengths in ms):
                                          user_features with SIZE, SLIDE and LATENESS, session_features with GAP and LATENESS
       dev/flink.sh version               the Flink version

environment:
  WINDROW_FLINK_VERSION   another version than the one in dev/flink/pom.xml
  WINDROW_FLINK_LIBS      where the jars are (default: .windrow/flink/VERSION/libs of the project)
exit codes: those of Flink's command line; 2 wrong arguments, 3 Flink cannot be fetched or run
EOF
}

fetch() { jars_fetch "Flink $VERSION" "$HERE/flink/pom.xml" "$LIBS" "-Dflink.version=$VERSION"; }

# java_flink MAIN ARGUMENT…: runs a Java program with Flink's jars.
java_flink() {
    jars_run "$LIBS" -Dlog4j2.configurationFile="$HERE/log4j2.xml" -Dkafka.log.level=error \
        --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED "$@"
}

ready() {
    java_path >/dev/null || { say_error "no Java 17 or newer found: Flink $VERSION needs it"; return 3; }
    fetch
}

# The client refuses to run without a configuration folder. Its content does not matter: -m names the server.
run() {
    [[ ${1:-} == -- ]] && shift
    ready || return
    local conf code=0
    conf=$(mktemp -d)
    printf 'rest:\n  address: localhost\n  port: 8081\nclient:\n  timeout: 60 s\n' >"$conf/config.yaml"
    # Flink 1.18 reads only the older name.
    printf 'rest.address: localhost\nrest.port: 8081\nclient.timeout: 60 s\n' >"$conf/flink-conf.yaml"
    FLINK_CONF_DIR=$conf java_flink org.apache.flink.client.cli.CliFrontend "$@" || code=$?
    rm -rf "$conf"
    return "$code"
}

read_all() {
    (($# >= 2)) || { usage >&2; exit 2; }
    ready && java_flink "$HERE/flink/Read.java" "$@"
}

# Flink finds the classes of a job only on the class path, so the program is compiled first.
windows() {
    (($# == 6)) || { usage >&2; exit 2; }
    ready || return
    local classes code=0 javac
    javac=$(dirname "$(java_path)")/javac
    [[ -x $javac ]] || { say_error "$javac is missing: a JDK is needed"; return 3; }
    classes=$(mktemp -d)
    "$javac" -d "$classes" -cp "$LIBS/*" "$HERE/flink/Windows.java" || code=$?
    ((code)) || "$(java_path)" -Xmx1g -Dlog4j2.configurationFile="$HERE/log4j2.xml" -Dkafka.log.level=error \
        --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED \
        -cp "$classes:$LIBS/*" Windows "$@" || code=$?
    rm -rf "$classes"
    return "$code"
}

case ${1:-} in
    fetch) fetch ;;
    run) shift; run "$@" ;;
    read) shift; read_all "$@" ;;
    windows) shift; windows "$@" ;;
    version) printf '%s\n' "$VERSION" ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
