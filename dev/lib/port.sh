# shellcheck shell=bash
# TCP ports of this machine: which are free, and which server answers on one.

# port_open PORT: returns whether a program listens there.
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ports_free N: prints N free ports below the range that the kernel uses for outgoing connections.
ports_free() {
    local port left=$1
    while ((left > 0)) && read -r port; do
        port_open "$port" && continue
        printf '%s\n' "$port"
        left=$((left - 1))
    done < <(shuf -i 15000-31999 -n $((left + 200)))
    ((left == 0))
}

port_free() { ports_free 1; }

# redis_reply PORT: prints the answer to Redis' command PING, or nothing.
redis_reply() (
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
    printf 'PING\r\n' >&3
    read -r -t 3 line <&3 || exit 0
    printf '%s\n' "${line%$'\r'}"
)

# redis_answers PORT: returns whether a Redis answers there, also one that requires a password.
redis_answers() {
    local reply
    reply=$(redis_reply "$1")
    [[ $reply == +PONG || $reply == -NOAUTH* || $reply == -LOADING* ]]
}

# kafka_answers PORT: returns whether a Kafka broker answers there. It sends the protocol's ApiVersions request (version 0,
# correlation id 0x57494e44) and looks for that id in the answer.
kafka_answers() {
    local reply=''
    reply=$(
        exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf '\0\0\0\x0a\0\x12\0\0WIND\xff\xff' >&3
        timeout 3 head -c 8 <&3 | od -An -tx1 -v | tr -d ' \n'
    ) || return 1
    [[ ${reply:8} == 57494e44 ]]
}

# http_get PORT PATH: prints the answer of a web server, head and body.
http_get() (
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost:%s\r\n\r\n' "$2" "$1" >&3
    timeout 20 cat <&3
)
