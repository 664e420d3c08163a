# An S3 server to try the service out with: OpenStack Swift, one copy of everything. Not for production.
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${DEBIAN_IMAGE} AS python
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3.11 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/lib/python3.11/lib2to3 /usr/lib/python3.11/pydoc_data
ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM python AS dependencies
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3.11-venv
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3.11 -m venv --without-pip /opt/venv
COPY requirements/dev.txt /tmp/constraints.txt
# hadolint ignore=DL3013
RUN python3.11 -m pip --python /opt/venv/bin/python install -c /tmp/constraints.txt boto3 requests swift

FROM python
RUN install -d -o 10001 -g 10001 /srv/s3
COPY --from=dependencies /opt/venv /opt/venv
COPY tests/parts /opt/app/tests/parts
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/app HOME=/tmp
USER 10001:10001
WORKDIR /tmp
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9000/healthcheck', timeout=5)"]
ENTRYPOINT ["python", "-m", "tests.parts.s3"]
CMD ["/srv/s3", "animations"]
