"""Bodies that trickle in: a bound on how long the whole of one may take.

gunicorn bounds the wait for a request's head, not for its body. While it comes, a body holds a connection and
some memory, but no thread and no place among those who wait for a render.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import gevent
from werkzeug.exceptions import RequestTimeout

from animation_server.concurrency import is_patched


def bound_uploads(app: WSGIApplication, seconds: float) -> WSGIApplication:
    """Wrap an app so that reading a body raises RequestTimeout (408) once it took longer in all.

    It needs gevent; under servers without it bodies are read as they come.
    """
    if not is_patched():
        return app

    def bounded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = _BoundedBody(environ["wsgi.input"], environ.get("gunicorn.socket"), seconds)
        return app(environ, start_response)

    return bounded


class _BoundedBody:
    """A WSGI input stream; the clock starts with the first read."""

    def __init__(self, body: Any, connection: socket.socket | None, seconds: float) -> None:
        self._body = body
        self._connection = connection
        self._seconds = seconds
        self._ends_at: float | None = None

    def read(self, size: int = -1) -> bytes:
        with self._in_time():
            data: bytes = self._body.read(size)
        return data

    def readline(self, size: int = -1) -> bytes:
        with self._in_time():
            line: bytes = self._body.readline(size)
        return line

    def readlines(self, hint: int = -1) -> list[bytes]:
        with self._in_time():
            lines: list[bytes] = self._body.readlines(hint)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._seconds
        # Not as the socket's timeout: that begins anew with every byte.
        late = gevent.Timeout(max(0.0, self._ends_at - now))
        try:
            with late:
                yield
        except gevent.Timeout as exc:
            if exc is not late:
                raise
            self._hang_up()
            raise RequestTimeout(
                f"Expected the whole request within {self._seconds:g} s, came only a part of it."
            ) from exc

    def _hang_up(self) -> None:
        """Read no more from this client: the rest of the body must not pass for a next request."""
        if self._connection is not None:
            self._connection.shutdown(socket.SHUT_RD)
