"""gunicorn's gevent worker, which stops without waiting for idle connections and leaves stalled clients."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

import gevent
import gevent.local
from gevent import monkey
from gunicorn.http.errors import ParseException
from gunicorn.util import write_error
from gunicorn.workers.ggevent import GeventWorker

from animation_server.settings import Settings

_native_socket = monkey.get_original("socket", "socket")

IDLE_GRACE_S = 1.0
"""How long a connection may be without a request when the worker stops: one may be on its way."""

LINGER_S = 5.0
"""How long the rest of a body that nobody wants is still taken, as nginx does. A connection that is closed
before that is reset, and the client, which may still be sending, never sees its answer.
"""

_PIECE = 64 * 1024

_STATUSES = {
    "LimitRequestLine": HTTPStatus.REQUEST_URI_TOO_LONG,
    "LimitRequestHeaders": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "UnsupportedTransferCoding": HTTPStatus.NOT_IMPLEMENTED,
    "ExpectationFailed": HTTPStatus.EXPECTATION_FAILED,
}
"""What gunicorn answers to heads that it cannot read, by the error's name; to all others 400."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Serves connections in greenlets.

    Told to stop, gunicorn waits for every kept-alive connection until its keep-alive time is over, though no
    request may ever come. This one ends those that are between requests. What a client has sent by then is
    still read and answered: the kernel hands out what it has received before it tells the end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stall_timeout_s = Settings.from_environ().stall_timeout_s
        self._current = gevent.local.local()
        self._idle_since: dict[socket.socket, float] = {}

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection until it ends."""
        self._current.client = client
        super().handle(listener, client, addr)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> Any:
        """Answer one request."""
        sock.settimeout(self._stall_timeout_s)
        try:
            outcome = super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            self.log.debug("A client took no bytes for %s s", self._stall_timeout_s)
            raise StopIteration from None  # ends the connection
        except StopIteration:  # the answer is given, and the connection's last; gunicorn would close it now
            _take_the_rest(req.body)
            raise
        if not _take_the_rest(req.body):
            raise StopIteration
        return outcome

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer what cannot be read, or what failed outside of the app.

        gunicorn would log the client's address and what came from it: paths, and ids in them.
        """
        kind = type(exc).__name__
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        if isinstance(exc, ParseException) and not kind.startswith("InvalidResponse"):
            status = _STATUSES.get(kind, HTTPStatus.BAD_REQUEST)
            self.log.warning("Request not readable: %s", kind)
        else:
            self.log.error("Error handling a request", exc_info=exc)
        with suppress(OSError):
            write_error(client, status.value, status.phrase, "")

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the wait for the head of a connection's next request; gunicorn's hook."""
        client = self._current.client
        client.settimeout(None)
        self._idle_since[client] = time.monotonic()
        try:
            with super().timeout_ctx():
                yield
        finally:
            del self._idle_since[client]

    def notify(self) -> None:
        """Tell the master that this worker lives; called every second, also while it stops."""
        super().notify()
        if self.alive:
            return
        now = time.monotonic()
        for client, since in self._idle_since.items():
            if now - since > IDLE_GRACE_S:
                _end_reading(client)


def _take_the_rest(body: Any) -> bool:
    """Read what a client still sends of a body that its answer did not wait for, for LINGER_S at most.

    Returns whether the body came to its end, so that another request may follow; where that is depends on
    all of it, so none does after a body that could not be read. gunicorn does this, too, but by the kilobyte.
    """
    with gevent.Timeout(LINGER_S, False), suppress(OSError, ParseException):
        while body.read(_PIECE):
            pass
        return not getattr(body, "failed", False)
    return False


def _end_reading(client: socket.socket) -> None:
    """Let whoever waits for a socket's bytes see what has come and then its end.

    gevent's own shutdown would fail those who wait, and what has come would be lost.
    """
    with suppress(OSError), _native_socket(fileno=os.dup(client.fileno())) as same:  # or it is gone already
        same.shutdown(socket.SHUT_RD)
