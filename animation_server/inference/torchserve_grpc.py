"""gRPC to TorchServe's inference service."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import gevent
import grpc
import grpc.experimental.gevent
from pydantic import BaseModel, ValidationError

from animation_server.concurrency import call_directly, is_patched
from animation_server.errors import InferenceError, InferenceTimeoutError, InferenceUnavailableError
from animation_server.inference.answers import refusal
from animation_server.inference.torchserve_wire_pb2 import PredictionAnswer, PredictionRequest
from animation_server.telemetry.observer import Observer, Unwatched
from animation_server.telemetry.request_context import REQUEST_ID

SERVICE = "/org.pytorch.serve.grpc.inference.InferenceAPIsService"
MAX_MESSAGE_BYTES = 20 * 1024 * 1024
"""As much as `torchserve_model.serve` lets through; gRPC's own limit of 4 MB is less than a sheet."""
RECONNECT_S = 1.0
"""Longest pause between attempts to connect; gRPC's own two minutes would outlast TorchServe's return."""
CALLS_AT_ONCE = 64
"""Under gevent each call under way waits in one of the hub's threads, which look host names up too."""

RETRY_PAUSE_S = 0.05
"""Between losing a connection and asking again; a new one is being made meanwhile."""


class _HandlerError(BaseModel):
    code: int
    message: str = ""


class GrpcTransport:
    """Predictions over gRPC; implements torchserve.Transport.

    address : host:port. connect_timeout_s : after which a connection that is being made counts as failed.
    run_io : runs the network call in the hub's thread; see concurrency.Executor.
    observer : is told of retries.
    """

    def __init__(
        self,
        address: str,
        connect_timeout_s: float,
        run_io: Callable[[Callable[[], Any]], Any] = call_directly,
        observer: Observer | None = None,
    ) -> None:
        if is_patched():
            _wait_in_greenlets()
        self._address = address
        self._run_io = run_io
        self._observer = observer or Unwatched()
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.min_reconnect_backoff_ms", round(connect_timeout_s * 1000)),
                ("grpc.initial_reconnect_backoff_ms", round(RECONNECT_S * 200)),
                ("grpc.max_reconnect_backoff_ms", round(RECONNECT_S * 1000)),
                # TorchServe stands beside us; a proxy meant for the world must not come between.
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._predictions = self._channel.unary_unary(
            f"{SERVICE}/Predictions",
            request_serializer=PredictionRequest.SerializeToString,
            response_deserializer=PredictionAnswer.FromString,
        )
        # An empty message in, and what comes back is not read: no types of their own.
        self._ping = self._channel.unary_unary(f"{SERVICE}/Ping")

    def predict(self, model: str, png: bytes, timeout_s: float) -> bytes:
        """See Transport."""
        content = {"data": png}
        if request_id := REQUEST_ID.get():
            # TorchServe hands its handlers no metadata of the call, but all of its input.
            content["request_id"] = request_id.encode()
        request = PredictionRequest(model_name=model, input=content)
        body: bytes = self._call(self._predictions, request, timeout_s).prediction
        self._raise_refusal(model, body)
        return body

    def ping(self, timeout_s: float) -> None:
        """See Transport."""
        self._call(self._ping, b"", timeout_s)

    def close(self) -> None:
        """See Transport."""
        self._run_io(self._channel.close)

    def _call(self, method: Callable[..., Any], request: Any, timeout_s: float) -> Any:
        ends = time.monotonic() + timeout_s

        def call() -> Any:
            try:
                return method(request, timeout=timeout_s)
            except grpc.RpcError as exc:
                if exc.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            # Asking again is safe, predictions change nothing.
            self._observer.retried("torchserve")
            time.sleep(RETRY_PAUSE_S)
            return method(request, timeout=max(0.0, ends - time.monotonic()))

        try:
            return self._run_io(call)
        except grpc.RpcError as exc:
            code, details = exc.code(), str(exc.details())[:200]
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise InferenceTimeoutError(f"{self._address}: no answer within {timeout_s} s") from exc
            message = f"{self._address}: expected status OK, came {code.name}: {details}"
            if code is grpc.StatusCode.INVALID_ARGUMENT:
                raise InferenceError(message) from exc
            # TorchServe says INTERNAL where over HTTP it says 404, 500, 503 or 507.
            raise InferenceUnavailableError(message) from exc

    def _raise_refusal(self, model: str, body: bytes) -> None:
        """Raise the error a handler answered with: over gRPC its status stands in the body alone."""
        if not body.startswith(b"{"):
            return
        try:
            error = _HandlerError.model_validate_json(body)
        except ValidationError:
            return
        raise refusal(f"{self._address} {model}", error.code, error.message)


@functools.cache
def _wait_in_greenlets() -> None:
    """Let calls wait without holding gevent's hub; once a process, before the first channel is made."""
    grpc.experimental.gevent.init_gevent()
    threads = gevent.get_hub().threadpool
    threads.maxsize = max(threads.maxsize, CALLS_AT_ONCE)
