"""Bodies on their way in: bounds on how long one may take, and on how much of all is held in memory.

gunicorn bounds the wait for a request's head, not for its body. While it comes, a body holds a connection and
memory, but no thread and no place among those who wait for a render.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import gevent
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, HTTPException, RequestTimeout

from animation_server.concurrency import is_patched
from animation_server.errors import OverloadedError


@dataclass(frozen=True)
class UploadLimits:
    """How much uploads may cost.

    seconds : for the whole of one. total_bytes : of all that come or are worked on; while a multipart form is
    taken apart it is in memory twice. largest_bytes : of one; set aside for those that tell no size.
    """

    seconds: float
    total_bytes: int
    largest_bytes: int


def bound_uploads(app: WSGIApplication, limits: UploadLimits) -> WSGIApplication:
    """Wrap an app so that reading a body keeps to the limits.

    It raises OverloadedError where there is no room for one more, RequestTimeout (408) once a body stalls or
    took too long, BadRequest where its chunks are none. That it took too long needs gevent; under servers
    without it bodies are read as slowly as they come.
    """
    room = _Room(limits.total_bytes)

    def bounded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = _BoundedBody(environ, limits, room)
        environ["wsgi.input"] = body
        try:
            return app(environ, start_response)
        finally:
            body.forget()

    return bounded


class _Room:
    """Counts the bytes that are set aside."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        with self._lock:
            if self._taken + count > self._size:
                raise OverloadedError(
                    f"{self._taken} bytes of uploads are being worked on already. Try again later."
                )
            self._taken += count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._taken -= count


class _BoundedBody:
    """A WSGI input stream. Its room is taken, and its clock starts, with the first read."""

    def __init__(self, environ: WSGIEnvironment, limits: UploadLimits, room: _Room) -> None:
        self._body = environ["wsgi.input"]
        self._connection: socket.socket | None = environ.get("gunicorn.socket")
        self._size = min(limits.largest_bytes, limits.total_bytes)
        if "HTTP_TRANSFER_ENCODING" not in environ:
            self._size = min(self._size, int(environ.get("CONTENT_LENGTH") or 0))
        self._seconds = limits.seconds
        self._room = room
        self._ends_at: float | None = None

    def read(self, size: int = -1) -> bytes:
        with self._in_bounds():
            data: bytes = self._body.read(size)
        return data

    def readline(self, size: int = -1) -> bytes:
        with self._in_bounds():
            line: bytes = self._body.readline(size)
        return line

    def readlines(self, hint: int = -1) -> list[bytes]:
        with self._in_bounds():
            lines: list[bytes] = self._body.readlines(hint)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def forget(self) -> None:
        """Give the room back: the request is answered."""
        if self._ends_at is not None:
            self._room.give_back(self._size)

    @contextmanager
    def _in_bounds(self) -> Iterator[None]:
        now = time.monotonic()
        if self._ends_at is None:
            self._room.take(self._size)
            self._ends_at = now + self._seconds
        try:
            with self._in_time(self._ends_at - now):
                yield
        except TimeoutError as exc:  # the socket's own
            raise self._left_unread(
                RequestTimeout("Expected the rest of the request, came nothing more for too long.")
            ) from exc
        except ParseException as exc:
            raise self._left_unread(BadRequest("Expected a body in chunks, came something else.")) from exc

    @contextmanager
    def _in_time(self, left_s: float) -> Iterator[None]:
        """Bound the whole body's time. Not as the socket's timeout: that begins anew with every byte."""
        if not is_patched():
            yield
            return
        late = gevent.Timeout(max(0.0, left_s))
        try:
            with late:
                yield
        except gevent.Timeout as exc:
            if exc is not late:
                raise
            raise self._left_unread(
                RequestTimeout(
                    f"Expected the whole request within {self._seconds:g} s, came only a part of it."
                )
            ) from exc

    def _left_unread(self, error: HTTPException) -> HTTPException:
        """Read no more from this client: the rest of the body must not pass for a next request."""
        self._body.failed = True  # the worker, and newer gunicorns, look at it
        if self._connection is not None:
            with suppress(OSError):  # or it is gone already
                self._connection.shutdown(socket.SHUT_RD)
        return error
