"""Clients that leave before their answer: nobody works on for them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import gevent.socket
from flask import request

from animation_server.concurrency import is_patched
from animation_server.service.admission import Deadline


@contextmanager
def cancelled_by_hang_up(deadline: Deadline) -> Iterator[None]:
    """Cancel the deadline when the current request's client closes its connection within the block.

    To be entered when the request's body has been read. A client that closes only its sending half counts as
    gone, as it does for most servers. Servers other than gunicorn's gevent worker do not hand their socket
    over; there the block runs as it is.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None or isinstance(connection, ssl.SSLSocket) or not is_patched():
        yield
        return
    watcher = gevent.spawn(_cancel_at_end, connection, deadline)
    try:
        yield
    finally:
        watcher.kill()


def _cancel_at_end(connection: socket.socket, deadline: Deadline) -> None:
    """Wait until there is something to read: the end, or a next request, with which the watch is over."""
    gevent.socket.wait_read(connection.fileno())
    try:
        ended = not connection.recv(1, socket.MSG_PEEK)
    except OSError:  # reset
        ended = True
    if ended:
        deadline.cancel()
