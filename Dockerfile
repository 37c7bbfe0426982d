# Two targets: cpu, which is the default, and cuda.
#
#   docker build --tag unmask:0.1.0 .
#   docker build --tag unmask:0.1.0-cuda --target cuda .
#   docker run --read-only --tmpfs /tmp --publish 50051:50051 unmask:0.1.0 serve --config /etc/unmask/unmask.toml --insecure
#
# The server runs as nobody in particular, writes below /tmp alone, is the first process of its container and handles SIGTERM itself.

# The version is rust-toolchain.toml's: `cargo xtask check-deploy` compares.
FROM rust:1.95.0-bookworm AS source
# ONNX Runtime is fetched by pip.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
# The toolchain that the image has: rust-toolchain.toml would have rustup fetch lints and formatters.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .

# Dependencies are kept in cache mounts, so that a change of ours builds only what is ours. Version and hash of ONNX Runtime are those of
# crates/xtask/src/onnxruntime.rs.
FROM source AS build-cpu
RUN --mount=type=cache,id=unmask-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=unmask-target-cpu,target=/src/target \
    cargo build --release --locked --package unmask-cli \
    && cargo xtask onnxruntime --to /out/usr/local/lib/onnxruntime \
    && install -D target/release/unmask /out/usr/local/bin/unmask \
    && install -D --mode=644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

FROM source AS build-cuda
RUN --mount=type=cache,id=unmask-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=unmask-target-cuda,target=/src/target \
    cargo build --release --locked --package unmask-cli --features cuda,tensorrt \
    && cargo xtask onnxruntime --gpu --to /out/usr/local/lib/onnxruntime \
    && install -D target/release/unmask /out/usr/local/bin/unmask \
    && install -D --mode=644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

# CUDA 13 and cuDNN 9, as ONNX Runtime wants them. `pool.devices` of tensorrt:N wants TensorRT 10 as well, which this base has not: add its
# libraries, or take a base that has them.
FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS cuda
COPY --from=build-cuda /out/ /
COPY LICENSE /usr/share/doc/unmask/LICENSE
COPY models/centerface /models/centerface
COPY models/selfblend-mobilenetv2 /models/selfblend-mobilenetv2
COPY deploy/image/unmask.toml /etc/unmask/unmask.toml
ENV ORT_DYLIB_PATH=/usr/local/lib/onnxruntime/libonnxruntime.so \
    XDG_CACHE_HOME=/tmp/.cache
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Unmask" \
      org.opencontainers.image.description="Explains what a deepfake detector has seen, as a gRPC service, on NVIDIA GPUs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Unmask authors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04"
# models.root is models where nothing else is said: here that is /models.
WORKDIR /
USER 65532:65532
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/unmask"]
CMD ["serve", "--config", "/etc/unmask/unmask.toml"]

FROM debian:bookworm-slim AS cpu
COPY --from=build-cpu /out/ /
COPY LICENSE /usr/share/doc/unmask/LICENSE
COPY models/centerface /models/centerface
COPY models/selfblend-mobilenetv2 /models/selfblend-mobilenetv2
COPY deploy/image/unmask.toml /etc/unmask/unmask.toml
# ONNX Runtime keeps a small database in the cache directory, and calibrations lie there.
ENV ORT_DYLIB_PATH=/usr/local/lib/onnxruntime/libonnxruntime.so \
    XDG_CACHE_HOME=/tmp/.cache
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Unmask" \
      org.opencontainers.image.description="Explains what a deepfake detector has seen, as a gRPC service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Unmask authors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="debian:bookworm-slim"
WORKDIR /
USER 65532:65532
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/unmask"]
CMD ["serve", "--config", "/etc/unmask/unmask.toml"]
