"""HTTP to TorchServe: one connection pool, failures as InferenceErrors."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from animation_server.concurrency import call_directly
from animation_server.errors import InferenceTimeoutError, InferenceUnavailableError
from animation_server.inference.answers import refusal
from animation_server.telemetry.observer import Observer, Unwatched
from animation_server.telemetry.request_context import REQUEST_ID, REQUEST_ID_HEADER

POOL_SIZE = 16
CHECK_TIMEOUT_S = 3.0
"""Longest wait for an answer that no model computes: a ping, a description."""


class HttpPeer:
    """One address that is asked over kept-alive connections.

    url : without a slash at the end. run_io : runs the network call where sockets work.
    observer : is told of what is asked again.
    """

    def __init__(
        self,
        url: str,
        connect_timeout_s: float,
        run_io: Callable[[Callable[[], Any]], Any] = call_directly,
        observer: Observer | None = None,
    ) -> None:
        self.url = url
        self._observer = observer or Unwatched()
        self._connect_timeout_s = connect_timeout_s
        self._run_io = run_io
        self._session = requests.Session()
        # TorchServe stands beside us; a proxy meant for the world must not come between.
        self._session.trust_env = False
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def exchange(self, method: str, path: str, timeout_s: float, **request: Any) -> bytes:
        """Make one HTTP exchange and return the body of its answer; every failure is an InferenceError."""
        url = self.url + path
        ends = monotonic() + timeout_s
        headers = {REQUEST_ID_HEADER: REQUEST_ID.get()} if REQUEST_ID.get() else {}

        def call() -> requests.Response:
            left_s = ends - monotonic()
            if left_s <= 0:
                raise requests.ReadTimeout("no time left to ask")
            timeouts = min(self._connect_timeout_s, left_s), left_s
            return self._session.request(
                method, url, timeout=timeouts, headers=headers, allow_redirects=False, **request
            )

        try:
            try:
                response = self._run_io(call)
            except requests.ConnectionError as exc:
                # Asking again is safe, predictions change nothing; and a kept-alive connection that
                # TorchServe closed in the meantime fails just so. Not after waiting a whole timeout, though.
                if _timed_out(exc):
                    raise
                self._observer.retried("torchserve")
                response = self._run_io(call)
        except requests.ConnectTimeout as exc:
            raise InferenceUnavailableError(
                f"{url}: no connection within {self._connect_timeout_s} s"
            ) from exc
        except requests.RequestException as exc:
            if _timed_out(exc):
                raise InferenceTimeoutError(f"{url}: no answer within {timeout_s} s") from exc
            raise InferenceUnavailableError(f"{url}: {exc}") from exc
        if not response.ok:
            raise refusal(url, response.status_code, response.text)
        return bytes(response.content)

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()


class HttpTransport:
    """Predictions over HTTP; implements torchserve.Transport.

    The contract is AnimatedDrawings' own: a multipart field `data` holds the image, the answer is JSON.
    """

    def __init__(self, peer: HttpPeer) -> None:
        self._peer = peer

    def predict(self, model: str, png: bytes, timeout_s: float) -> bytes:
        """See Transport."""
        files = {"data": ("image.png", png, "image/png")}
        return self._peer.exchange("POST", f"/predictions/{model}", timeout_s, files=files)

    def ping(self, timeout_s: float) -> None:
        """See Transport."""
        self._peer.exchange("GET", "/ping", timeout_s)

    def close(self) -> None:
        """See Transport."""
        self._peer.close()


def _timed_out(exc: requests.RequestException) -> bool:
    """Tell a wait that ran out; requests hides some of them in ConnectionError."""
    return isinstance(exc, requests.Timeout) or any(isinstance(arg, ReadTimeoutError) for arg in exc.args)
