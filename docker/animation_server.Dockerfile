# The server, the render workers and the command line.
#
#   docker build -f docker/animation_server.Dockerfile -t animation-server .
#
# For a build that can be repeated, give the base by its digest: --build-arg DEBIAN_IMAGE=debian@sha256:...
# The steps are ordered by how seldom their input changes: a change of our code repeats the last ones only.

ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

# Python from Debian, which mends it for years; the model image starts with this very layer.
FROM ${DEBIAN_IMAGE} AS python
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3.11 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/lib/python3.11/lib2to3 /usr/lib/python3.11/pydoc_data
ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM python AS dependencies
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3-pip python3.11-venv tcc
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3.11 -m venv --without-pip /opt/venv
COPY requirements/server.txt requirements/debian.txt /tmp/
RUN python3.11 -m pip --python /opt/venv/bin/python install --no-deps -r /tmp/server.txt -r /tmp/debian.txt \
 && python3.11 -m pip --python /opt/venv/bin/python check
COPY docker/slim.py /tmp/
RUN python3.11 /tmp/slim.py /opt/venv/lib/python3.11/site-packages \
 && python3.11 -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib

FROM dependencies AS application
RUN python3.11 -m pip install --target /opt/build setuptools==84.2.1
WORKDIR /src
COPY pyproject.toml README.md ./
COPY bvh_tools bvh_tools
COPY torchserve_model torchserve_model
COPY animation_server animation_server
RUN PYTHONPATH=/opt/build python3.11 -m pip --python /opt/venv/bin/python install \
      --no-deps --no-build-isolation --no-index --target /opt/app . \
 && python3.11 -m compileall -q --invalidation-mode unchecked-hash /opt/app
# Compiled for every machine that has AVX2 and FMA: those of 2013 and later. Numba's cache knows the source by its
# folder, so it has to be the one where the source will lie.
WORKDIR /opt/app
ENV PYTHONPATH=/opt/app NUMBA_CPU_NAME=x86-64-v3 NUMBA_CPU_FEATURES=
RUN NUMBA_CACHE_DIR=/opt/kernels /opt/venv/bin/python -m animation_server.kernel_cache

FROM python
LABEL org.opencontainers.image.title="animation-server" \
      org.opencontainers.image.description="A photograph of a child's drawing in, animated GIFs out" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
# Files are root's: whoever breaks into the process cannot change what it runs.
RUN install -d -o 10001 -g 10001 /var/lib/animation-server
COPY --from=dependencies /opt/venv /opt/venv
ENV PATH=/opt/app/bin:/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/app \
    HOME=/tmp \
    NUMBA_CPU_NAME=x86-64-v3 \
    NUMBA_CPU_FEATURES= \
    NUMBA_CACHE_SEED=/opt/kernels \
    NUMBA_CACHE_DIR=/tmp/kernels \
    NUMBA_CACHE_LOCATOR_CLASSES=animation_server.kernel_cache.SeededCacheLocator,UserWideCacheLocator \
    ANIMATION_HOST=0.0.0.0 \
    ANIMATION_LOCAL_DIR=/var/lib/animation-server/objects
COPY --from=application /opt/kernels /opt/kernels
COPY --from=application /opt/app /opt/app
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /var/lib/animation-server
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s \
  CMD ["python", "-m", "animation_server.wsgi.probe"]
# `serve` gives its place to gunicorn, which so is process 1 and gets the signals.
ENTRYPOINT ["animation-server"]
CMD ["serve"]
