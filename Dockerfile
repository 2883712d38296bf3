# syntax=docker/dockerfile:1
# Windrow as a small image: built with the Rust toolchain, run without it.

FROM rust:1-slim-bookworm AS build
# librdkafka is compiled from source together with the binary.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches stay with the builder: a second build compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p windrow \
    && cp target/release/windrow /usr/local/bin/windrow

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /data windrow
COPY --from=build /usr/local/bin/windrow /usr/local/bin/windrow
COPY pipelines /opt/windrow/pipelines
# Checkpoints are written below the working folder: mount a volume here to keep them.
USER windrow
WORKDIR /data
ENTRYPOINT ["windrow"]
CMD ["run", "/opt/windrow/pipelines/ecommerce.toml"]
