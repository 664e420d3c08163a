# TorchServe with our models inside: the image's version is the models' version.
#
#   docker build -f docker/torchserve_model.Dockerfile -t torchserve-model:cpu .
#   docker build -f docker/torchserve_model.Dockerfile -t torchserve-model:gpu --build-arg VARIANT=gpu .
#
# For a build that can be repeated, give the base by its digest: --build-arg DEBIAN_IMAGE=debian@sha256:...
# The steps are ordered by how seldom their input changes: a change of our code repeats the last ones only.

ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim
ARG VARIANT=cpu

# Python from Debian, which mends it for years; the server image starts with this very layer.
FROM ${DEBIAN_IMAGE} AS python
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3.11 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/lib/python3.11/lib2to3 /usr/lib/python3.11/pydoc_data
ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM python AS java
# Java's installation wants the folder of manual pages, which slim images lack.
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/man

FROM python AS pip
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3-pip python3.11-venv tcc
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3.11 -m venv --without-pip /opt/venv
COPY requirements/model.txt /tmp/requirements.txt

# The usual index has torch for GPUs; where pip does not find the one for CPUs, a tenth of its size, name its index:
# --build-arg TORCH_CPU_INDEX=...
FROM pip AS dependencies
ARG VARIANT
ARG TORCH_CPU_INDEX=
RUN case "${VARIANT}" in \
      cpu) grep '^torch==' /tmp/requirements.txt > /tmp/torch.txt \
        && python3.11 -m pip --python /opt/venv/bin/python --retries 1 install \
             --no-deps ${TORCH_CPU_INDEX:+--extra-index-url} ${TORCH_CPU_INDEX:+"${TORCH_CPU_INDEX}"} -r /tmp/torch.txt \
        && { grep -q '^cuda.*None' /opt/venv/lib/python3.11/site-packages/torch/version.py \
             || { echo "TORCH_CPU_INDEX: expected the index of torch for CPUs; pip found torch for GPUs" >&2; exit 2; }; } \
        && python3.11 -m pip --python /opt/venv/bin/python install --no-deps -r /tmp/requirements.txt ;; \
      gpu) python3.11 -m pip --python /opt/venv/bin/python install -r /tmp/requirements.txt \
        && { ! grep -q '^cuda.*None' /opt/venv/lib/python3.11/site-packages/torch/version.py \
             || { echo "VARIANT=gpu: expected torch with CUDA, pip found torch for CPUs; look at its find-links" >&2; exit 2; }; } ;; \
      *) echo "VARIANT: expected cpu or gpu, came ${VARIANT}" >&2; exit 2 ;; \
    esac
COPY docker/slim.py /tmp/
# Some of torch's files are for newer Pythons.
RUN python3.11 /tmp/slim.py /opt/venv/lib/python3.11/site-packages \
 && python3.11 -m compileall -q --invalidation-mode unchecked-hash -x 'py31[2-9]_' /opt/venv/lib

# Both variants hold the same archives, so they are packed by whichever torch is there.
FROM dependencies AS archives
COPY requirements/archives.txt /tmp/archives.txt
RUN python3.11 -m pip --python /opt/venv/bin/python install --no-deps -r /tmp/archives.txt
WORKDIR /src
COPY torchserve_model torchserve_model
RUN /opt/venv/bin/python -m torchserve_model.archive -o /models \
 && install -d /opt/app \
 && cp -r torchserve_model /opt/app/ \
 && rm -r /opt/app/torchserve_model/weights \
 && python3.11 -m compileall -q --invalidation-mode unchecked-hash /opt/app

FROM java
COPY --from=dependencies /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/app \
    HOME=/tmp
COPY --from=archives /models /models
COPY --from=archives /opt/app /opt/app
ARG VARIANT
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="torchserve-model" \
      org.opencontainers.image.description="TorchServe with the models that find and outline drawn figures, ${VARIANT}" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /tmp
HEALTHCHECK --interval=10s --timeout=12s --start-period=60s \
  CMD ["python", "-m", "torchserve_model.probe"]
# `serve` gives its place to Java, which so is process 1 and gets the signals. It listens on 127.0.0.1 alone.
ENTRYPOINT ["python", "-m", "torchserve_model.serve", "--store", "/models", "--run-dir", "/tmp/torchserve"]
