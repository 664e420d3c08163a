"""TorchServe with our two archives, on local ports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import requests

from tests.parts.process import free_ports, running, wait_until

MODELS = ("drawn_humanoid_detector", "drawn_humanoid_pose_estimator")
START_TIMEOUT_S = 120


@dataclass(frozen=True)
class TorchServe:
    """A running TorchServe."""

    url: str
    management_url: str
    grpc_address: str
    process: Popen[bytes]


@contextmanager
def torchserve(
    store: Path, home: Path, *options: str, port: int | None = None, management_port: int | None = None
) -> Iterator[TorchServe]:
    """Run TorchServe over the archives in `store` for the length of the block.

    `home` takes its configuration and logs. `options` are passed on to `torchserve_model.serve`; ports are
    free ones unless given.
    """
    inference, management, metrics, grpc, grpc_management = free_ports(5)
    inference, management = port or inference, management_port or management
    command = [
        sys.executable, "-m", "torchserve_model.serve", "--store", str(store), "--run-dir", str(home),
        "--inference-port", str(inference), "--management-port", str(management),
        "--metrics-port", str(metrics),
        "--grpc-inference-port", str(grpc), "--grpc-management-port", str(grpc_management), *options,
    ]  # fmt: skip
    log = home / "torchserve.log"
    with running("torchserve", command, log, grace_s=30) as process:
        server = TorchServe(
            f"http://127.0.0.1:{inference}",
            f"http://127.0.0.1:{management}",
            f"127.0.0.1:{grpc}",
            process,
        )
        wait_until(
            lambda: all(_ready(server, model) for model in MODELS),
            "torchserve",
            process,
            log,
            START_TIMEOUT_S,
        )
        yield server


def _ready(server: TorchServe, model: str) -> bool:
    """Tell whether every worker of a model is ready; /ping says Healthy long before."""
    try:
        answer = requests.get(f"{server.management_url}/models/{model}", timeout=2)
        workers = answer.json()[0]["workers"] if answer.ok else []
    except (requests.RequestException, ValueError):
        return False
    return bool(workers) and all(worker["status"] == "READY" for worker in workers)
