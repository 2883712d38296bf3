# Windrow as a small image: built with the Rust toolchain, run without it. The cache mounts need BuildKit.

FROM rust:1.95.0-slim-bookworm AS build
# librdkafka is compiled from source together with the binary. Debian's archive keeps no older package to pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# `release` is what is shipped. docker-compose.yml builds `dev`, which compiles faster.
ARG PROFILE=release
# The caches stay with the builder: a second build compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo install --locked --no-track --profile "$PROFILE" --root /usr/local --path crates/windrow \
    && dev/third-party.sh >/THIRD-PARTY.txt

FROM debian:bookworm-20260824-slim
LABEL org.opencontainers.image.title="Windrow" \
      org.opencontainers.image.description="Real-time features: events from Kafka, event-time windows per user, rows in Redis" \
      org.opencontainers.image.licenses="Apache-2.0"
# The numeric user lets Kubernetes check that the container does not run as root.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 999 windrow \
    && useradd --system --uid 999 --gid 999 --create-home --home-dir /data --shell /usr/sbin/nologin windrow
COPY --from=build /usr/local/bin/windrow /usr/local/bin/windrow
COPY LICENSE /usr/share/doc/windrow/
COPY --from=build /THIRD-PARTY.txt /usr/share/doc/windrow/
COPY pipelines /opt/windrow/pipelines
# Checkpoints are written below the working folder: mount a volume here to keep them.
USER 999:999
WORKDIR /data
# The command below listens inside the container only. `--listen 0.0.0.0:8081` opens the port; it requires a token
# (WINDROW_TOKEN), as in docker-compose.yml.
EXPOSE 8081
# It asks /healthz on 127.0.0.1:8081. A container that does not run a job there disables it (--no-healthcheck).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["windrow", "health"]
ENTRYPOINT ["windrow"]
CMD ["run", "/opt/windrow/pipelines/ecommerce.toml"]
