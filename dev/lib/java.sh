# shellcheck shell=bash
# Finds a Java for Kafka 4: version 17 or newer.

# java_major JAVA: prints the major version of an executable.
java_major() { "$1" -version 2>&1 | sed -n 's/^[a-z]* version "\([0-9]*\).*/\1/p'; }

# java_path: prints the first suitable java of $JAVA_HOME, $PATH and the system's folder of JVMs; fails if there is none.
java_path() {
    local java major
    if [[ -z ${JAVA_FOUND:-} ]]; then
        for java in "${JAVA_HOME:-/nowhere}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
            [[ -x $java ]] || continue
            major=$(java_major "$java")
            ((${major:-0} >= 17)) || continue
            JAVA_FOUND=$java
            break
        done
    fi
    [[ -n ${JAVA_FOUND:-} ]] && printf '%s\n' "$JAVA_FOUND"
}
