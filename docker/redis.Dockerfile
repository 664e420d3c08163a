# The queue of jobs: Redis from Debian, which mends it.
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim
FROM ${DEBIAN_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && install -d -o 999 -g 999 /data
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="animation-redis" \
      org.opencontainers.image.description="Redis for the queue of the animation server" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 999:999
WORKDIR /data
EXPOSE 6379
HEALTHCHECK --interval=10s --timeout=6s CMD ["redis-cli", "ping"]
# Within the containers' network; nothing is kept on disk, and when memory runs out nothing is thrown away.
CMD ["redis-server", "--bind", "*", "--protected-mode", "no", "--save", "", "--maxmemory-policy", "noeviction"]
