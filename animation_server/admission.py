"""How much is let in: a bounded number of requests, each with a deadline, equal ones only once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from animation_server.errors import DeadlineError, OverloadedError

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """A moment after which no further work is begun.

    at : seconds on the monotonic clock.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Set a deadline some seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raise DeadlineError once the moment has passed."""
        if time.monotonic() >= self.at:
            raise DeadlineError("The request was not finished in time; the server is busy. Try again later.")


class Admission:
    """Counts what is being worked on or waits for it, and turns away what goes beyond."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._slots = threading.BoundedSemaphore(limit)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place; raise OverloadedError at once when there is none."""
        if not self._slots.acquire(blocking=False):
            raise OverloadedError(
                f"{self.limit} requests are being rendered or waiting for it already. Try again later."
            )
        try:
            yield
        finally:
            self._slots.release()


class SingleFlight(Generic[T]):
    """Equal calls at the same time are made once; the others wait for that one's result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}

    def run(self, key: str, function: Callable[[], T], deadline: Deadline) -> T:
        """Call `function`, or share the outcome, error included, of the call that runs under this key.

        Raises DeadlineError where the other call takes too long.
        """
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not leads:
            return flight.wait(deadline)
        try:
            flight.value = function()
        except BaseException as exc:
            flight.error = exc
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()
        return flight.value


class _Flight(Generic[T]):
    value: T

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.error: BaseException | None = None

    def wait(self, deadline: Deadline) -> T:
        if not self.landed.wait(deadline.remaining_s()):
            deadline.check()
        if self.error is not None:
            raise self.error
        return self.value
