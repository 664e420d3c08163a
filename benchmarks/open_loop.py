"""Clients that come when they come, however the server is doing.

Most load generators keep a fixed number of clients busy. Those wait for a slow server, ask it less, and so
hide what real clients would have met. Here requests are due at moments drawn beforehand, and an answer's time
counts from the moment at which its request was due. `keep_busy` is the other kind, for finding out what can
be served at most.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

MOST_AT_ONCE = 600
TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Call:
    """One HTTP request, ready to be sent."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    due_s : when it was due, seconds from the beginning. seconds : from then to the end of its answer.
    status : of the answer, 0 where none came. retry_after : whether it told when to come again.
    error : what went wrong where no answer came.
    """

    due_s: float
    seconds: float
    status: int
    retry_after: bool = False
    error: str = ""

    @property
    def ended_s(self) -> float:
        """When the answer was there, seconds from the beginning."""
        return self.due_s + self.seconds


def poisson_moments(rate: float, seconds: float, rng: np.random.Generator) -> list[float]:
    """Draw the moments (s) of arrivals that know nothing of each other, on average `rate` a second."""
    count = rng.poisson(rate * seconds)
    return sorted(float(moment) for moment in rng.uniform(0, seconds, count))


def offer(url: str, calls: Sequence[Call], due_s: Sequence[float]) -> list[Answer]:
    """Send each call when it is due, on a connection of its own; wait for all answers."""
    started = time.perf_counter()

    def send(call: Call, due: float) -> Answer:
        return _send(url, call, due, started)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        answers = []
        for call, due in zip(calls, due_s, strict=True):
            time.sleep(max(0.0, started + due - time.perf_counter()))
            answers.append(pool.submit(send, call, due))
        return [answer.result() for answer in answers]


def keep_busy(url: str, next_call: Callable[[], Call], clients: int, seconds: float) -> list[Answer]:
    """Let a number of clients send one call after the other for some seconds; wait for the last answers."""
    started = time.perf_counter()
    answers: list[Answer] = []

    def be_a_client() -> None:
        while (now := time.perf_counter() - started) < seconds:
            answers.append(_send(url, next_call(), now, started))

    threads = [threading.Thread(target=be_a_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _send(url: str, call: Call, due_s: float, started: float) -> Answer:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    headers = {"Content-Type": call.content_type} if call.content_type else {}
    try:
        connection.request(call.method, call.path, call.body or None, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as exc:
        return Answer(due_s, time.perf_counter() - started - due_s, 0, error=type(exc).__name__)
    finally:
        connection.close()
    seconds = time.perf_counter() - started - due_s
    return Answer(due_s, seconds, response.status, response.getheader("Retry-After") is not None)
