"""TorchServe with our two archives, on local ports."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import requests

from tests.parts.process import free_ports, running, wait_until

MODELS = ("drawn_humanoid_detector", "drawn_humanoid_pose_estimator")
START_TIMEOUT_S = 120


class TorchServe:
    """A TorchServe that can be started, killed and started again on the same ports."""

    process: Popen[bytes]

    def __init__(self, store: Path, home: Path, options: tuple[str, ...], stack: ExitStack) -> None:
        """See torchserve. stack : ends what has been started."""
        inference, management, metrics, grpc, grpc_management = free_ports(5)
        self.url = f"http://127.0.0.1:{inference}"
        self.management_url = f"http://127.0.0.1:{management}"
        self.grpc_address = f"127.0.0.1:{grpc}"
        self._log = home / "torchserve.log"
        self._stack = stack
        self._command = [
            sys.executable, "-m", "torchserve_model.serve", "--store", str(store), "--run-dir", str(home),
            "--inference-port", str(inference), "--management-port", str(management),
            "--metrics-port", str(metrics),
            "--grpc-inference-port", str(grpc), "--grpc-management-port", str(grpc_management), *options,
        ]  # fmt: skip

    def start(self) -> None:
        """Start, and wait until all models are ready."""
        context = running("torchserve", self._command, self._log, grace_s=30)
        self.process = self._stack.enter_context(context)
        wait_until(self.ready, "torchserve", self.process, self._log, START_TIMEOUT_S)

    def kill(self) -> None:
        """End it and its workers without notice."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to TorchServe and its workers."""
        os.killpg(os.getpgid(self.process.pid), number)

    def worker_pids(self) -> list[int]:
        """Name the processes that hold the models."""
        return [worker["pid"] for model in MODELS for worker in self._workers(model)]

    def ready(self) -> bool:
        """Tell whether every worker of every model is ready; /ping says Healthy long before."""
        try:
            workers = [self._workers(model) for model in MODELS]
        except (requests.RequestException, ValueError):
            return False
        return all(each and all(worker["status"] == "READY" for worker in each) for each in workers)

    def _workers(self, model: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.management_url}/models/{model}", timeout=2)
        workers: list[dict[str, Any]] = answer.json()[0]["workers"] if answer.ok else []
        return workers


@contextmanager
def torchserve(store: Path, home: Path, *options: str) -> Iterator[TorchServe]:
    """Run TorchServe over the archives in `store` for the length of the block.

    `home` takes its configuration and logs. `options` are passed on to `torchserve_model.serve`.
    """
    with ExitStack() as stack:
        server = TorchServe(store, home, options, stack)
        server.start()
        yield server
