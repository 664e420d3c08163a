"""TorchServe's HTTP addresses as an operator uses them: which models there are, and in which state.

Only the standard library, for what runs as a probe has to start quickly.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode

HOST = "127.0.0.1"


class TorchServeError(Exception):
    """TorchServe did not do what was asked; the message says what was expected and what came.

    status : of the HTTP answer, None where there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Model:
    """One version of a model as TorchServe describes it.

    archive : its file's name in the model store. workers : the state of each, "READY" when it answers.
    pending : requests that wait for a worker.
    """

    name: str
    version: str
    archive: str
    workers: tuple[str, ...]
    min_workers: int
    batch_size: int
    max_batch_delay_ms: int
    response_timeout_s: int
    pending: int

    @property
    def ready(self) -> bool:
        """Whether every worker that it is to have answers."""
        return self.workers.count("READY") >= max(1, self.min_workers)


def call(port: int, method: str, path: str, timeout_s: float, **query: str | int) -> bytes:
    """Make one exchange and return the answer's body; raises TorchServeError unless done or accepted."""
    target = f"{path}?{urlencode(query)}" if query else path
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as exc:
        raise TorchServeError(f"{method} {HOST}:{port}{target}: no answer: {exc}") from exc
    finally:
        connection.close()
    if response.status not in (http.client.OK, http.client.ACCEPTED):
        came = f"{response.status}: {' '.join(body[:300].decode(errors='replace').split())}"
        raise TorchServeError(
            f"{method} {HOST}:{port}{target}: expected status 200, came {came}", response.status
        )
    return body


def model_names(port: int, timeout_s: float) -> list[str]:
    """Names of all registered models."""
    return [model["modelName"] for model in json.loads(call(port, "GET", "/models", timeout_s))["models"]]


def describe(port: int, name: str, timeout_s: float, version: str = "") -> Model:
    """One model in one version, by default the version that requests go to."""
    (described,) = json.loads(call(port, "GET", model_path(name, version), timeout_s))
    return _parse(described)


def describe_all(port: int, name: str, timeout_s: float) -> list[Model]:
    """One model in each version that is registered."""
    return [
        _parse(described) for described in json.loads(call(port, "GET", f"{model_path(name)}/all", timeout_s))
    ]


def model_path(name: str, version: str = "") -> str:
    """The path of a model on the management address."""
    return "/models/" + "/".join(quote(part, safe="") for part in (name, version) if part)


def _parse(described: dict[str, Any]) -> Model:
    return Model(
        name=described["modelName"],
        version=described["modelVersion"],
        archive=PurePosixPath(described["modelUrl"]).name,
        workers=tuple(worker["status"] for worker in described["workers"]),
        min_workers=described["minWorkers"],
        batch_size=described["batchSize"],
        max_batch_delay_ms=described["maxBatchDelay"],
        response_timeout_s=described["responseTimeout"],
        pending=described["jobQueueStatus"]["pendingRequests"],
    )
