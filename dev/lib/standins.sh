# shellcheck shell=bash
# Base images for tests without an image registry, under the names that Dockerfile and docker-compose.yml ask for.
#
# They are made of Debian's packages, this machine's Rust toolchain and Kafka's jars. They behave like the real images as
# far as the Dockerfile, the compose file and ./start.sh use them. Kafka UI's stand-in only waits.
# Owns: the images. Uses say.sh, java.sh, jars.sh through dev/kafka.sh; expects ROOT and a Docker engine.

# image_name FILE PREFIX: prints the name of the first image in FILE that begins with PREFIX.
image_name() { sed -n "s#^ *\\(FROM\\|image:\\) \\($2[^ ]*\\).*#\\2#p" "$1" | head -n 1; }

# standins_make DIR CACHE: makes all images. DIR is for intermediate files, CACHE keeps Debian's packages for the next time.
standins_make() {
    local dir=$1 cache=$2 debian rust kafka redis ui
    debian=$(image_name Dockerfile debian:)
    rust=$(image_name Dockerfile rust:)
    kafka=$(image_name docker-compose.yml apache/kafka:)
    redis=$(image_name docker-compose.yml redis:)
    ui=$(image_name docker-compose.yml kafbat/kafka-ui:)
    mkdir -p "$dir"/{rust,kafka,redis,ui}
    standin_debian "$debian" "$dir/rootfs" "$cache/${debian//[^a-z0-9.-]/-}.tar" || return
    standin_rust "$rust" "$debian" "$dir/rust" || return
    standin_kafka "$kafka" "$debian" "$dir/kafka" || return
    standin_redis "$redis" "$debian" "$dir/redis" || return
    printf 'FROM %s\nCMD ["sleep", "infinity"]\n' "$debian" | standin_build "$ui" "$dir/ui"
}

# standin_build NAME CONTEXT: builds an image from the Dockerfile on standard input. Compose has BuildKit's client built in;
# `docker build` would need a plugin.
standin_build() {
    cat >"$2/Dockerfile" || return
    printf 'name: standins\nservices:\n  image:\n    image: "%s"\n    build: "%s"\n' "$1" "$2" |
        docker compose --progress plain -f - build
}

# standin_debian NAME ROOTFS TAR: makes the image from Debian's packages; the name says which release. TAR is made once.
standin_debian() {
    local release=${1#debian:}
    if [[ ! -s $3 ]]; then
        debootstrap --variant=minbase "${release%%-*}" "$2" || return
        rm -rf "$2"/var/cache/apt/archives/*.deb "$2"/var/lib/apt/lists/*
        # As in the official image, apt keeps no caches.
        printf '%s\n' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
            'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };' >"$2/etc/apt/apt.conf.d/docker-clean"
        mkdir -p "$(dirname "$3")"
        tar -C "$2" --numeric-owner -cf "$3.new" . && mv "$3.new" "$3" && rm -rf "$2" || return
    fi
    docker import --change 'CMD ["bash"]' "$3" "$1"
}

# standin_rust NAME BASE CONTEXT: this machine's toolchain, which has to be the version in the name.
standin_rust() {
    local version=${1#rust:} sysroot
    version=${version%%-*}
    sysroot=$(rustc "+$version" --print sysroot 2>/dev/null) || sysroot=$(rustc --print sysroot) || return
    if [[ $("$sysroot/bin/rustc" --version) != "rustc $version "* ]]; then
        say_error "no Rust $version here, which the Dockerfile uses"
        say_hint "run:  rustup toolchain install --profile minimal $version"
        return 1
    fi
    mkdir -p "$3/toolchain"
    tar -C "$sysroot" --exclude=./share --exclude=./lib/rustlib/src -c . | tar -C "$3/toolchain" -x || return
    cp /etc/ssl/certs/ca-certificates.crt "$3/" || return
    standin_build "$1" "$3" <<END
FROM $2
COPY toolchain /usr/local/rustup/toolchain
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/rustup/toolchain/bin:\$PATH \\
    CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
END
}

# standin_kafka NAME BASE CONTEXT: like the official image, it turns the variables KAFKA_* into broker settings.
standin_kafka() {
    local libs=${WINDROW_KAFKA_LIBS:-$ROOT/.windrow/kafka/libs}
    "$ROOT/dev/kafka.sh" fetch || return
    mkdir -p "$3/libs"
    cp "$libs"/*.jar "$3/libs/" && cp "$ROOT/dev/log4j2.xml" "$3/" || return
    cat >"$3/kafka-topics.sh" <<'END'
#!/bin/sh
exec java -Xmx256m -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' org.apache.kafka.tools.TopicCommand "$@"
END
    cat >"$3/run-broker" <<'END'
#!/bin/bash
set -euo pipefail
settings=/tmp/server.properties
while IFS='=' read -r name value; do
    [[ $name != KAFKA_HEAP_OPTS ]] || continue
    name=${name#KAFKA_}
    name=${name,,}
    printf '%s=%s\n' "${name//_/.}" "$value"
done < <(env | grep '^KAFKA_') >"$settings"
java -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format --ignore-formatted \
    --cluster-id windrow-dev-cluster-00 --config "$settings"
read -ra heap <<<"${KAFKA_HEAP_OPTS:-}"
exec java "${heap[@]}" -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml -cp '/opt/kafka/libs/*' kafka.Kafka "$settings"
END
    chmod +x "$3/run-broker" "$3/kafka-topics.sh"
    standin_build "$1" "$3" <<END
FROM $2
RUN apt-get update && apt-get install -y --no-install-recommends default-jre-headless && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home appuser && install -d -o appuser /var/lib/kafka/data
COPY libs /opt/kafka/libs
COPY log4j2.xml /opt/kafka/
COPY kafka-topics.sh /opt/kafka/bin/
COPY run-broker /usr/local/bin/
USER appuser
CMD ["run-broker"]
END
}

# standin_redis NAME BASE CONTEXT: Debian's Redis. The official image is built without protected mode.
standin_redis() {
    printf '#!/bin/sh\nexec /usr/bin/redis-server "$@" --protected-mode no\n' >"$3/redis-server"
    chmod +x "$3/redis-server"
    standin_build "$1" "$3" <<END
FROM $2
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
COPY redis-server /usr/local/bin/
RUN install -d -o redis -g redis /data
USER redis
WORKDIR /data
CMD ["redis-server"]
END
}

# seed_cargo_registry DIR: fills the registry's cache mount of the Dockerfile's build with the crates that this machine has
# downloaded. Compiled libraries cannot be reused: cargo compiles again what lies under another path.
seed_cargo_registry() {
    local registry=${CARGO_HOME:-$HOME/.cargo}/registry
    mkdir -p "$1/registry"
    [[ ! -d $registry/cache ]] || cp -a "$registry/"{cache,index} "$1/registry/" || return
    standin_build windrow-seed "$1" <<END
FROM $(image_name Dockerfile rust:)
RUN --mount=type=bind,target=/seed --mount=type=cache,target=/usr/local/cargo/registry \\
    cp -a /seed/registry/. /usr/local/cargo/registry/
END
}
