"""A TCP proxy that breaks what passes through it, on command: between the server and a real part."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["none", "refuse", "hang", "cut", "answer", "tamper"]

CUT_AFTER_BYTES = 4096
"""More than a request without a body has, less than a GIF."""

SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
    b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>'
)


@dataclass
class FaultyProxy:
    """Passes connections on, and breaks those that are open or made while a fault is set.

    port : where it listens on localhost. fault : what to do with bytes from clients.
      none    pass them on
      refuse  end the connection
      hang    swallow them
      cut     pass CUT_AFTER_BYTES on without an answer between them, then end both connections
      answer  give `answer` instead of passing them on
      tamper  spoil the signature of S3 requests, which the real server then refuses
    """

    port: int
    target: tuple[str, int]
    fault: Fault = "none"
    answer: bytes = SLOW_DOWN
    _released: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def url(self) -> str:
        """Where clients are sent instead of to the target."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def broken(self, fault: Fault, answer: bytes = SLOW_DOWN) -> Iterator[None]:
        """Set a fault for the length of the block."""
        self._released = threading.Event()
        self.fault, self.answer = fault, answer
        try:
            yield
        finally:
            self.fault = "none"
            self._released.set()

    def serve_connection(self, client: socket.socket) -> None:
        """Pass one connection on until either side ends it or a fault does."""
        with client, suppress(OSError), socket.create_connection(self.target) as target:
            unanswered = _Count()
            back = threading.Thread(target=_pump_back, args=(target, client, unanswered), daemon=True)
            back.start()
            while data := client.recv(2048):
                fault = self.fault
                if fault == "refuse":
                    break
                if fault == "hang":
                    self._released.wait(60)
                    break
                if fault == "answer":
                    _answer(client, self.answer)
                    break
                if fault == "tamper":
                    data = re.sub(rb"(Signature=)[0-9a-f]{8}", rb"\g<1>00000000", data)
                unanswered.value += len(data)
                target.sendall(data)
                if fault == "cut" and unanswered.value > CUT_AFTER_BYTES:
                    break
            _end(target)
            _end(client)


@contextmanager
def faulty_proxy(target_url: str) -> Iterator[FaultyProxy]:
    """Run a proxy before the server at http://host:port for the length of the block."""
    host, _, port = target_url.removeprefix("http://").partition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = FaultyProxy(listener.getsockname()[1], (host, int(port)))

        def accept() -> None:
            with suppress(OSError):  # closed at the end
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=proxy.serve_connection, args=(client,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@dataclass
class _Count:
    value: int = 0


def _pump_back(target: socket.socket, client: socket.socket, unanswered: _Count) -> None:
    with suppress(OSError):
        while data := target.recv(65536):
            unanswered.value = 0
            client.sendall(data)
    _end(client)


def _answer(client: socket.socket, answer: bytes) -> None:
    """Answer, then read what still comes: an end with unread bytes would take the answer with it."""
    client.sendall(answer)
    client.shutdown(socket.SHUT_WR)
    while client.recv(65536):
        pass


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
