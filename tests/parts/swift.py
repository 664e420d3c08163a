"""A real S3 server: OpenStack Swift with its s3api, one replica, four processes on local ports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

import boto3

from tests.parts.process import answers, free_ports, listens, running, wait_until

SERVICES = ("account", "container", "object")

SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = local
swift_hash_path_suffix = local
"""

STORAGE_CONF = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {home}
devices = {home}/devices
mount_check = false
log_udp_host = 127.0.0.1
log_udp_port = {log_port}
[pipeline:main]
pipeline = {service}-server
[app:{service}-server]
use = egg:swift#{service}
"""

PROXY_CONF = """
[DEFAULT]
bind_ip = {bind}
bind_port = {port}
workers = 0
swift_dir = {home}
log_udp_host = 127.0.0.1
log_udp_port = {log_port}
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = {region}
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
{filters}
"""

PIPELINE = (
    "catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "s3api", "tempauth", "copy",
    "slo", "dlo", "versioned_writes", "symlink", "proxy-server",
)  # fmt: skip
CONFIGURED = {"s3api", "tempauth", "proxy-server"}


@dataclass(frozen=True)
class S3Server:
    """Where a running S3 server listens and who may enter."""

    endpoint: str
    region: str = "us-east-1"
    access_key: str = "test:tester"
    secret_key: str = "testing"

    def access(self) -> dict[str, str]:
        """What boto3's clients and resources need to get in."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }

    def make_bucket(self, name: str) -> None:
        with closing(boto3.client("s3", **self.access())) as client:
            client.create_bucket(Bucket=name)


@contextmanager
def swift_server(home: Path, bind: str = "127.0.0.1", port: int | None = None) -> Iterator[S3Server]:
    """Run Swift for the length of the block; what it stores lies under `home` and outlives it.

    bind : where it takes requests; 0.0.0.0 for clients that are not on this machine. port : a free one unless
    given.
    """
    home = home.resolve()
    (home / "devices" / "d1").mkdir(parents=True, exist_ok=True)
    *ports, proxy_port, log_port = free_ports(len(SERVICES) + 2)
    proxy_port = port or proxy_port
    server = S3Server(f"http://127.0.0.1:{proxy_port}")
    account, _, user = server.access_key.partition(":")
    (home / "swift.conf").write_text(SWIFT_CONF)
    for service, inner in zip(SERVICES, ports, strict=True):
        conf = STORAGE_CONF.format(service=service, port=inner, home=home, log_port=log_port)
        (home / f"{service}.conf").write_text(conf)
        _build_ring(home, service, inner)
    filters = "\n".join(
        f"[filter:{name}]\nuse = egg:swift#{name}" for name in PIPELINE if name not in CONFIGURED
    )
    proxy = PROXY_CONF.format(
        pipeline=" ".join(PIPELINE), bind=bind, port=proxy_port, home=home, log_port=log_port,
        region=server.region, account=account, user=user, secret=server.secret_key, filters=filters,
    )  # fmt: skip
    (home / "proxy.conf").write_text(proxy)
    with ExitStack() as stack:
        for service, inner in [*zip(SERVICES, ports, strict=True), ("proxy", proxy_port)]:
            log = home / f"{service}.log"
            command = [_script(f"swift-{service}-server"), str(home / f"{service}.conf"), "--verbose"]
            process = stack.enter_context(running(f"swift-{service}-server", command, log))
            wait_until(lambda p=inner: listens(p), f"swift-{service}-server", process, log, 30)
        wait_until(lambda: answers(f"{server.endpoint}/healthcheck"), "swift", process, log, 30)
        yield server


def _build_ring(home: Path, service: str, port: int) -> None:
    """Write a ring of one device, anew: the ports change from run to run."""
    builder = home / f"{service}.builder"
    for file in (builder, home / f"{service}.ring.gz"):
        file.unlink(missing_ok=True)
    ring = [_script("swift-ring-builder"), str(builder)]
    device = ["--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", str(port)]
    run([*ring, "create", "4", "1", "1"], check=True, capture_output=True)
    run([*ring, "add", *device, "--device", "d1", "--weight", "1"], check=True, capture_output=True)
    run([*ring, "rebalance"], check=True, capture_output=True)


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
