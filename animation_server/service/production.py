"""Making what is missing: from keys of animations to objects behind them.

What is stored already is not made again; equal orders at the same time are worked on once; the rest is
admitted up to a bound. A drawing is prepared once, its motions are rendered side by side.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from animation_server.animate import AnimationOptions
from animation_server.concurrency import Executor, native_lock
from animation_server.errors import DependencyError, OutOfMemoryError
from animation_server.service.admission import Admission, Deadline, SingleFlight
from animation_server.service.renderer import Renderer
from animation_server.storage import ObjectStore
from animation_server.telemetry.observer import Observer
from animation_server.telemetry.stages import observed, stage

T = TypeVar("T")

REMEMBERED_KEYS = 10_000
"""Keys of what was made or found last, some 2 MB; a quarter of an hour's on four busy cores."""


@dataclass(frozen=True)
class Progress:
    """How far the work for a request is.

    stage : the one that was last gone through. done, total : steps, of which every motion and what comes
    before all of them have equally many.
    """

    stage: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]
"""Called when more has been done, from the threads that render but never from two at once. Must be quick."""


def ignore_progress(_: Progress) -> None:
    """Let progress pass unseen."""


@dataclass(frozen=True)
class Steps:
    """What the preparation of an order is given: its deadline, and whom to tell how far it is."""

    deadline: Deadline
    passed: Callable[[str, float], None]


@dataclass(frozen=True)
class Order:
    """Animations of one figure.

    keys : motion -> key under which the animation is stored.
    prepare : makes what the renderer takes, where anything is missing. Called in a thread that may be busy.
    guard : around the making of what is missing, also by another order that this one waits for.
    """

    keys: Mapping[str, str]
    options: AnimationOptions
    prepare: Callable[[Steps], Any]
    guard: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True)
class Delivery:
    """Addresses by motion, and seconds of work by stage over all threads; none where all was stored."""

    urls: dict[str, str]
    stages_s: dict[str, float] = field(default_factory=dict)


class Production:
    """Delivers orders. Holds what they share: the queue, and the flights of equal ones."""

    def __init__(
        self, store: ObjectStore, renderer: Renderer, executor: Executor, observer: Observer, max_queue: int
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._executor = executor
        self._observer = observer
        self.admission = Admission(max_queue, executor.threads, observer.queued)
        self._flights: SingleFlight[dict[str, float]] = SingleFlight()
        self._recent = _Recent(REMEMBERED_KEYS)

    def deliver(self, order: Order, deadline: Deadline, progress: OnProgress = ignore_progress) -> Delivery:
        """Make what is missing and return the addresses of all animations.

        Whoever was refused a place before asks the store in vain, most likely, and no more than for what is
        in the making here or was there lately. Raises CapacityError, CancelledError, DependencyError, and
        what `prepare` raises.
        """
        keys = list(order.keys.values())
        if not self._recent.has(keys):
            self.admission.claim_again()
        with blame_deadline(deadline):
            there = self._store.exists(keys, deadline.remaining_s())
        self._recent.add(key for key, found in zip(keys, there, strict=True) if found)
        missing = [motion for motion, found in zip(order.keys, there, strict=True) if not found]
        stages_s: dict[str, float] = {}
        if missing:
            with order.guard():
                stages_s = self._make_or_share(order, missing, deadline, progress)
        self._observer.delivered("stored", len(keys) - len(missing))
        return Delivery({motion: self._store.url(key) for motion, key in order.keys.items()}, stages_s)

    def work(
        self, make: Callable[[Steps], T], deadline: Deadline, progress: OnProgress = ignore_progress
    ) -> tuple[T, dict[str, float]]:
        """Admit and do work that ends in no animation; returns its result and seconds by stage."""
        times = _StageTimes(self._observer)
        ledger = _Ledger(progress, 1)

        def run() -> T:
            deadline.check()
            with observed(times.add):
                return make(Steps(deadline, lambda name, share: ledger.note("", name, share)))

        with self._admitted(deadline):
            made = self._executor.run(run)
        return made, times.seconds

    @contextmanager
    def _admitted(self, deadline: Deadline) -> Iterator[None]:
        """Hold one of the places for work, from its turn on; see Admission.slot."""
        with self.admission.slot(deadline):
            try:
                yield
            except MemoryError as exc:
                raise OutOfMemoryError(
                    "The work did not fit into memory. Ask for a smaller size or fewer frames, or try later."
                ) from exc

    def _make_or_share(
        self, order: Order, missing: Sequence[str], deadline: Deadline, progress: OnProgress
    ) -> dict[str, float]:
        led = False

        def make(deadline: Deadline) -> dict[str, float]:
            nonlocal led
            led = True
            return self._make(order, missing, deadline, progress)

        flight = hashlib.sha256("\n".join(order.keys[motion] for motion in missing).encode()).hexdigest()
        stages_s = self._flights.run(flight, make, deadline)
        self._observer.delivered("rendered" if led else "shared", len(missing))
        return stages_s

    def _make(
        self, order: Order, missing: Sequence[str], deadline: Deadline, progress: OnProgress
    ) -> dict[str, float]:
        """Prepare, render and store; returns seconds by stage."""
        times = _StageTimes(self._observer)
        ledger = _Ledger(progress, 1 + len(missing))

        def prepare() -> Any:
            deadline.check()
            with observed(times.add):
                prepared = order.prepare(Steps(deadline, lambda name, share: ledger.note("", name, share)))
            ledger.note("", "deform", 1.0)
            return prepared

        def render(motion: str) -> None:
            def drawn(done: int, total: int) -> None:
                deadline.check()
                ledger.note(motion, "draw", 0.95 * done / total)

            deadline.check()
            with observed(times.add):
                clip = self._renderer.render(prepared, motion, order.options, drawn)
                with stage("store"), blame_deadline(deadline):
                    self._store.put(order.keys[motion], clip.data, clip.content_type, deadline.remaining_s())
            ledger.note(motion, "store", 1.0)

        making = [order.keys[motion] for motion in missing]
        with self._recent.unless_failed(making), self._admitted(deadline):
            prepared = self._executor.run(prepare)
            self._executor.map(render, missing)
        return times.seconds


@contextmanager
def blame_deadline(deadline: Deadline) -> Iterator[None]:
    """Name the deadline, once it has passed, as the reason why a dependency did not answer in time."""
    try:
        yield
    except DependencyError:
        deadline.check()
        raise


class _Recent:
    """Remembers so many keys, those that were added last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, keys: Iterable[str]) -> bool:
        """Tell whether all of them are remembered."""
        return all(key in self._keys for key in keys)

    def add(self, keys: Iterable[str]) -> None:
        """Remember some, as the latest."""
        with self._lock:
            for key in keys:
                self._keys[key] = None
                self._keys.move_to_end(key)
            while len(self._keys) > self._size:
                self._keys.popitem(last=False)

    @contextmanager
    def unless_failed(self, keys: Sequence[str]) -> Iterator[None]:
        """Remember some from now on, but not where the block fails."""
        self.add(keys)
        try:
            yield
        except Exception:
            with self._lock:
                for key in keys:
                    self._keys.pop(key, None)
            raise


class _StageTimes:
    """Sums the seconds spent in each stage, over all threads, and passes them on."""

    def __init__(self, observer: Observer) -> None:
        self.seconds: dict[str, float] = {}
        self._observer = observer
        self._lock = native_lock()

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._observer.stage(name, seconds)


class _Ledger:
    """Adds up how far the parts of an order are, and reports whenever that has become more."""

    _STEPS = 100

    def __init__(self, report: OnProgress, parts: int) -> None:
        self._report = report
        self._total = parts * self._STEPS
        self._steps: dict[str, int] = {}
        self._lock = native_lock()

    def note(self, part: str, stage_name: str, share: float) -> None:
        """Note that a share (0 to 1) of a part is done."""
        steps = int(share * self._STEPS)
        with self._lock:
            if steps > self._steps.get(part, 0):
                self._steps[part] = steps
                self._report(Progress(stage_name, sum(self._steps.values()), self._total))
