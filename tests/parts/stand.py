"""A test stand for faults: the whole service, with a hand on every part that may fail.

Two servers stand beside each other, one that asks TorchServe over HTTP and one over gRPC. S3, and TorchServe
over HTTP, are reached through proxies that can break what passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from tests.drawings import sample
from tests.expositions import numbers
from tests.parts.faulty_proxy import FaultyProxy, faulty_proxy
from tests.parts.pod import BUCKET, MODEL_STORE
from tests.parts.process import eventually
from tests.parts.server import Server, animation_server
from tests.parts.swift import S3Server, swift_server
from tests.parts.torchserve import TorchServe, torchserve

READ_TIMEOUT_S = 2
RECOVERY_S = 60
TORCHSERVE_QUEUE = 4


@dataclass(frozen=True)
class Stand:
    """All parts, running. servers : by the protocol in which they ask TorchServe, "http" and "grpc"."""

    servers: Mapping[str, Server]
    models: TorchServe
    models_proxy: FaultyProxy
    s3_proxy: FaultyProxy
    bucket: Any

    def keys(self) -> set[str]:
        """List what is stored, past the proxy."""
        return {found.key for found in self.bucket.objects.all()}


@contextmanager
def running_stand(home: Path) -> Iterator[Stand]:
    """Run the stand for the length of the block."""
    with ExitStack() as stack:
        options = ("--queue-size", str(TORCHSERVE_QUEUE))
        with ThreadPoolExecutor(2) as pool:
            starting = pool.submit(stack.enter_context, swift_server(home / "s3"))
            models = stack.enter_context(torchserve(MODEL_STORE, home / "torchserve", *options))
            s3 = starting.result()
        s3_proxy = stack.enter_context(faulty_proxy(s3.endpoint))
        models_proxy = stack.enter_context(faulty_proxy(models.url))
        common = {
            "ANIMATION_TORCHSERVE_URL": models_proxy.url,
            "ANIMATION_TORCHSERVE_GRPC_ADDRESS": models.grpc_address,
            "ANIMATION_TORCHSERVE_MANAGEMENT_URL": models.management_url,
            "ANIMATION_TORCHSERVE_READ_TIMEOUT_S": str(READ_TIMEOUT_S),
            **s3_settings(s3, s3_proxy.url),
            **SMALL_ANIMATIONS,
        }
        bucket = boto3.resource("s3", **s3.access()).create_bucket(Bucket=BUCKET)
        servers = {
            protocol: stack.enter_context(
                animation_server(home / protocol, {"ANIMATION_INFERENCE": inference, **common})
            )
            for protocol, inference in (("http", "torchserve"), ("grpc", "torchserve-grpc"))
        }
        yield Stand(servers, models, models_proxy, s3_proxy, bucket)


SMALL_ANIMATIONS = {
    "ANIMATION_MOTIONS": "dab",
    "ANIMATION_SIZE": "128",
    "ANIMATION_FRAMES": "12",
    "ANIMATION_RENDER_THREADS": "2",
}


def s3_settings(s3: S3Server, endpoint: str) -> dict[str, str]:
    """Name the settings that store to a bucket of an S3 server, reached at an endpoint."""
    return {
        "ANIMATION_STORAGE": "s3",
        "ANIMATION_S3_ENDPOINT_URL": endpoint,
        "ANIMATION_S3_PUBLIC_ENDPOINT_URL": s3.endpoint,
        "ANIMATION_S3_REGION": s3.region,
        "ANIMATION_S3_BUCKET": BUCKET,
        "ANIMATION_S3_READ_TIMEOUT_S": "1",
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }


def post(server: Server, variant: int, **fields: str) -> requests.Response:
    """Ask for animations of a variant of the sample drawing."""
    files = {"image": sample(variant)}
    return requests.post(f"{server.url}/v1/animations", files=files, data=fields, timeout=60)


def heals(server: Server, variant: int) -> bool:
    """Tell whether a server animates again, by itself, within the time a recovery may take."""
    return eventually(lambda: post(server, variant).ok, RECOVERY_S)


def is_ready(server: Server) -> bool:
    """Tell what /readyz says."""
    return requests.get(f"{server.url}/readyz", timeout=30).ok


def assert_try_again(answer: requests.Response, status: int, code: str) -> None:
    """The answer is an error in the one shape of errors, and says when to try again."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["ok"] is False


def metric(server: Server, name: str, **labels: str) -> float:
    """Read a metric, summed over the labels that are not named."""
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    return numbers(text)(f"animation_{name}", **labels) or 0.0
