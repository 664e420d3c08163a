"""The models in TorchServe, over HTTP or gRPC.

The client is the same for both: it speaks the contract of `answers`. What differs is the transport, which
carries an image to a model and the body of its answer back. Versions and workers are asked for at the
management address, which speaks HTTP whatever the predictions travel by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from animation_server.concurrency import call_directly
from animation_server.errors import InferenceTimeoutError, InferenceUnavailableError
from animation_server.inference.answers import (
    DETECTOR,
    POSE_ESTIMATOR,
    encode_png,
    parse_detections,
    parse_pose,
)
from animation_server.inference.contract import Detection, Pose
from animation_server.inference.torchserve_http import CHECK_TIMEOUT_S, HttpPeer, HttpTransport
from animation_server.inference.torchserve_management import Management
from animation_server.telemetry.observer import Observer, Unwatched, calling

UNVERSIONED = "torchserve"
"""The models' version where neither the settings nor the management address tell it."""


@dataclass(frozen=True)
class TorchServeAddress:
    """Where TorchServe listens and how long to wait for it.

    url : inference address. grpc_address : inference address over gRPC, host:port; empty to ask over HTTP.
    management_url : management address, empty where it cannot be reached.
    models_version : name of the models' version, empty to ask for it.
    """

    url: str
    grpc_address: str = ""
    management_url: str = ""
    models_version: str = ""
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 20.0


class Transport(Protocol):
    """Carries requests to TorchServe. Every method raises InferenceError on failure."""

    def predict(self, model: str, png: bytes, timeout_s: float) -> bytes:
        """Show a model an encoded image; return the body of its answer."""
        ...

    def ping(self, timeout_s: float) -> None:
        """Return when TorchServe answers; its models' workers may still be starting."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class TorchServeClient:
    """Asks a TorchServe for predictions; implements InferenceClient. Safe to call from several threads.

    run_io : runs the network call where sockets work; see concurrency.Executor.
    observer : is told of every call.
    """

    def __init__(
        self,
        address: TorchServeAddress,
        run_io: Callable[[Callable[[], Any]], Any] = call_directly,
        observer: Observer | None = None,
    ) -> None:
        self._address = address
        self._observer = observer or Unwatched()
        self._transport = _make_transport(address, run_io, self._observer)
        self._management: Management | None = None
        if address.management_url:
            peer = HttpPeer(address.management_url, address.connect_timeout_s, run_io)
            self._management = Management(peer, CHECK_TIMEOUT_S)

    def detect(self, image: NDArray[np.uint8], timeout_s: float | None = None) -> list[Detection]:
        """See InferenceClient."""
        return parse_detections(self._predict(DETECTOR, image, timeout_s))

    def estimate_pose(self, crop: NDArray[np.uint8], timeout_s: float | None = None) -> Pose:
        """See InferenceClient; raises NoFigureError where the models see no figure in the crop."""
        height, width = crop.shape[:2]
        return parse_pose(self._predict(POSE_ESTIMATOR, crop, timeout_s), (height, width))

    def version(self) -> str:
        """See InferenceClient; told by the settings, else by the management address, else UNVERSIONED."""
        if self._address.models_version:
            return self._address.models_version
        if self._management is None:
            return UNVERSIONED
        return self._management.version((DETECTOR, POSE_ESTIMATOR))

    def check(self) -> None:
        """See InferenceClient.

        TorchServe's own ping is healthy before the models' workers are; where the management address can be
        reached, each model must have a worker that is READY.
        """
        with calling(self._observer, "torchserve", "check"):
            if self._management is None:
                self._transport.ping(CHECK_TIMEOUT_S)
                return
            for name in (DETECTOR, POSE_ESTIMATOR):
                workers = self._management.workers(name)
                if "READY" not in workers:
                    raise InferenceUnavailableError(f"{name}: expected a READY worker, came {workers}")

    def close(self) -> None:
        """See InferenceClient."""
        self._transport.close()
        if self._management is not None:
            self._management.close()

    def _predict(self, model: str, image: NDArray[np.uint8], timeout_s: float | None) -> bytes:
        longest_s = self._address.read_timeout_s
        if timeout_s is not None:
            longest_s = min(longest_s, timeout_s)
        if longest_s <= 0:
            # Not left to the transports: sockets take no time at all for all the time there is.
            raise InferenceTimeoutError(f"{model}: no time left to ask")
        png = encode_png(image)
        with calling(self._observer, "torchserve", model):
            return self._transport.predict(model, png, longest_s)


def _make_transport(
    address: TorchServeAddress, run_io: Callable[[Callable[[], Any]], Any], observer: Observer
) -> Transport:
    if address.grpc_address:
        # Imported here: it costs those who speak HTTP 10 MB and a tenth of a second.
        from animation_server.inference.torchserve_grpc import GrpcTransport

        return GrpcTransport(address.grpc_address, address.connect_timeout_s, run_io, observer)
    return HttpTransport(HttpPeer(address.url, address.connect_timeout_s, run_io, observer))
