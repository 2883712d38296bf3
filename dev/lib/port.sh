# shellcheck shell=bash
# TCP ports of this machine: which are free, and who answers on one.

# port_open PORT: whether anything listens there.
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_free: prints a port nobody listens on, below the range the kernel hands out to outgoing connections.
port_free() {
    local port _
    for _ in {1..200}; do
        port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
        port_open "$port" || { printf '%s\n' "$port"; return 0; }
    done
    return 1
}

# redis_answers PORT: whether a Redis answers there (also one that asks for a password).
redis_answers() {
    local reply=''
    reply=$(
        exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf 'PING\r\n' >&3
        read -r -t 3 line <&3 || exit 1
        printf '%s' "${line%$'\r'}"
    ) || return 1
    [[ $reply == +PONG || $reply == -NOAUTH* || $reply == -LOADING* ]]
}

# kafka_answers PORT: whether a Kafka broker answers there: it sends the protocol's ApiVersions request
# (version 0, correlation id 0x57494e44) and looks for that id in the answer.
kafka_answers() {
    local reply=''
    reply=$(
        exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf '\0\0\0\x0a\0\x12\0\0WIND\xff\xff' >&3
        timeout 3 head -c 8 <&3 | od -An -tx1 -v | tr -d ' \n'
    ) || return 1
    [[ ${reply:8} == 57494e44 ]]
}

# http_get PORT PATH: prints what a web server answers there, head and body.
http_get() (
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost:%s\r\n\r\n' "$2" "$1" >&3
    timeout 20 cat <&3
)
