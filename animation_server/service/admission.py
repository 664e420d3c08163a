"""How much is let in: a bounded number of requests, in turn, each with a deadline, equal ones only once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from animation_server.errors import CancelledError, DeadlineError, OverloadedError

T = TypeVar("T")

CLAIM_S = 0.5
"""How long a place is kept for a request that is still being read, and how long after a refusal places are
kept at all. Longer, and a few clients that send slowly would keep everybody out.
"""

_NOTICE_CANCEL_S = 0.25
"""How soon one who waits for another's work, or for a turn, notices that nobody waits for him."""


class Deadline:
    """A moment after which no further work is begun; it comes at once where nobody waits any more.

    Asked between the stages of a request and after every frame, and told to TorchServe and S3 as the time
    that is left. Any thread may cancel it.
    """

    def __init__(self, at: float, *, promised: bool = False) -> None:
        """Set a deadline.

        at : seconds on the monotonic clock. promised : whether the work was accepted before, as a job, and is
        turned away no more.
        """
        self.at = at
        self.promised = promised
        self._cancelled = False

    @classmethod
    def after(cls, seconds: float, *, promised: bool = False) -> Deadline:
        """Set a deadline some seconds from now."""
        return cls(time.monotonic() + seconds, promised=promised)

    def cancel(self) -> None:
        """Let the moment come now: the caller has left, or wants the work no longer."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._cancelled

    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return 0.0 if self.cancelled else max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raise CancelledError once cancelled, DeadlineError once the moment has passed."""
        if self.cancelled:
            raise CancelledError("The request was cancelled.")
        if time.monotonic() >= self.at:
            raise DeadlineError("The request was not finished in time; the server is busy. Try again later.")


class _SharedDeadline(Deadline):
    """The deadline of work that several wait for: the first one's, and cancelled once all have left."""

    def __init__(self, first: Deadline) -> None:
        super().__init__(first.at, promised=first.promised)
        self._first = first
        self._others: list[Deadline] = []

    def share(self, deadline: Deadline) -> None:
        """Let one more wait."""
        self._others.append(deadline)

    @property
    def cancelled(self) -> bool:
        """See Deadline."""
        return self._first.cancelled and not any(other.remaining_s() for other in self._others)


def _ignore(_: int) -> None:
    """Take no note."""


_REFUSED = object()
_claim: ContextVar[object | None] = ContextVar("claim", default=None)
"""What the current request holds of an Admission's places before it takes one; or _REFUSED."""


class Admission:
    """Lets so many work at a time, in the order in which they came; some may wait; turns away the rest.

    Whoever works goes through to the end before the next one begins: what work in the making holds in memory
    is then bounded by the number of workers, and not by that of those who wait.
    """

    def __init__(self, limit: int, at_once: int, note: Callable[[int], None] = _ignore) -> None:
        """Set the limits.

        limit : those who work and those who wait; what was promised comes on top, and whoever promises sees
        to its bound. at_once : those who work. note : told of every place that is taken (1) or left (-1).
        """
        self.limit = limit
        self._note = note
        self._idle = at_once
        self._taken = 0
        self._claims: dict[object, float] = {}
        self._rush_ends = 0.0
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def claim(self) -> None:
        """Keep a place for the current request until its `slot`, or `unclaim`, for CLAIM_S at most.

        Raises OverloadedError where all places are taken; where somebody has just been refused, also where
        all are taken or claimed. In such a rush one free place would otherwise be promised to everybody who
        comes while the first of them is still being read. At other times claims keep nobody out: those who
        ask for what is stored already make them, too.
        """
        claim = object()
        _claim.set(_REFUSED)
        with self._lock:
            self._check(self._taken)
            now = time.monotonic()
            self._claims = {claim: until for claim, until in self._claims.items() if until > now}
            if now < self._rush_ends:
                self._check(self._taken + len(self._claims))
            self._claims[claim] = now + CLAIM_S
        _claim.set(claim)

    @property
    def has_refused(self) -> bool:
        """Whether `claim` has refused the current request, which goes on nevertheless."""
        return _claim.get() is _REFUSED

    def claim_again(self) -> None:
        """Do what `claim` does for a request that it has refused."""
        if self.has_refused:
            self.claim()

    def unclaim(self) -> None:
        """Give back what the current request has claimed and not taken, if anything."""
        with self._lock:
            self._claims.pop(_claim.get(), None)
        _claim.set(None)

    @contextmanager
    def slot(self, deadline: Deadline) -> Iterator[None]:
        """Hold one place, and wait for one's turn.

        Raises OverloadedError at once when there is no place, unless one was promised; where `claim` has
        refused the request, also when others have claimed what is free. DeadlineError or CancelledError where
        the deadline comes before the turn.
        """
        self.claim_again()
        with self._lock:
            self._claims.pop(_claim.get(), None)
            if not deadline.promised:
                self._check(self._taken)
            self._taken += 1
        self._note(1)
        try:
            self._await_turn(deadline)
            try:
                yield
            finally:
                self._pass_on()
        finally:
            with self._lock:
                self._taken -= 1
            self._note(-1)

    def _check(self, taken: int) -> None:
        if self._taken >= self.limit:
            self._rush_ends = time.monotonic() + CLAIM_S
        if taken >= self.limit:
            raise OverloadedError(
                f"{self.limit} requests are being rendered or waiting for it already. Try again later."
            )

    def _await_turn(self, deadline: Deadline) -> None:
        turn = threading.Event()
        with self._lock:
            if self._idle:
                self._idle -= 1
                return
            self._waiting.append(turn)
        try:
            while not turn.wait(min(_NOTICE_CANCEL_S, deadline.remaining_s())):
                deadline.check()
        except BaseException:
            with self._lock:
                came = turn not in self._waiting
                if not came:
                    self._waiting.remove(turn)
            if came:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Let the one begin who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._idle += 1


class SingleFlight(Generic[T]):
    """Equal calls at the same time are made once; the others wait for that one's result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}

    def run(self, key: str, function: Callable[[Deadline], T], deadline: Deadline) -> T:
        """Call `function`, or share the outcome, error included, of the call that runs under this key.

        function : is given the deadline to work by: this caller's, but not cancelled while others wait.
        A call whose time was up says nothing about the others: one of them makes it again. Raises
        DeadlineError or CancelledError where this caller's deadline comes first.
        """
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight(deadline)
                else:
                    flight.deadline.share(deadline)
            if leads:
                return self._lead(key, flight, function)
            flight.wait(deadline)
            if not isinstance(flight.error, CancelledError | DeadlineError):
                return flight.outcome()

    def _lead(self, key: str, flight: _Flight[T], function: Callable[[Deadline], T]) -> T:
        try:
            flight.value = function(flight.deadline)
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

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = _SharedDeadline(deadline)
        self.landed = threading.Event()
        self.error: BaseException | None = None

    def wait(self, deadline: Deadline) -> None:
        while not self.landed.wait(min(_NOTICE_CANCEL_S, deadline.remaining_s())):
            deadline.check()

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value
