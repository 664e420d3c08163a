"""Where CPU work runs, so that it never stands in the way of other requests.

Under gunicorn's gevent workers every request is a greenlet of one native thread. Decoding, deforming and
drawing go to native threads (they release the GIL); network calls made from those threads go back to the
greenlets, because patched sockets belong to the thread of their hub. Without gevent both are plain threads.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, Generic, Protocol, TypeVar, cast

import gevent
from gevent import monkey
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

T = TypeVar("T")
Item = TypeVar("Item")

MOST_NICENESS = 19
RENDER_NICENESS = 5
"""How much the threads that render give way to the one that answers clients, within one container."""

IO_THREADS = 16
"""Network calls at a time that may be given up; as many as the clients keep connections. In greenlets, of one
`map_io`: nobody's call waits behind the thousand deletions of somebody else.
"""


class Executor(Protocol):
    """Runs CPU work on a bounded number of native threads.

    What runs there sees the caller's context variables, the request's id among them.
    """

    @property
    def threads(self) -> int:
        """How many there are."""
        ...

    def run(self, function: Callable[[], T]) -> T:
        """Run on one of the threads and wait for the result."""
        ...

    def map(self, function: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """Run for every item, side by side; wait for all; raise the first item's error that there is."""
        ...

    def run_native(self, function: Callable[[], T]) -> T:
        """Run what waits for a native lock from wherever the caller is, where that stops no loop."""
        ...

    def run_io(self, function: Callable[[], T]) -> T:
        """Run a network call from wherever the caller is, where patched sockets work."""
        ...

    def map_io(
        self, function: Callable[[Item], T], items: Sequence[Item], timeout_s: float | None = None
    ) -> list[T]:
        """Run a network call for every item, side by side, where patched sockets work.

        Raises the first item's error that there is, and TimeoutError where not all have ended in time; what
        still runs is then given up.
        """
        ...

    def close(self) -> None:
        """Wait for running work and let the threads go."""
        ...


class MapIO(Protocol):
    """See Executor.map_io."""

    def __call__(
        self, function: Callable[[Item], T], items: Sequence[Item], timeout_s: float | None = None
    ) -> list[T]:
        """See Executor.map_io."""
        ...


def call_directly(function: Callable[[], T]) -> T:
    """Run a network call, or a wait, in the calling thread: right wherever nothing is patched."""
    return function()


def map_directly(
    function: Callable[[Item], T],
    items: Sequence[Item],
    timeout_s: float | None = None,  # noqa: ARG001 (the calls have timeouts of their own)
) -> list[T]:
    """Run network calls in the calling thread, one after the other."""
    return [function(item) for item in items]


def make_executor(threads: int) -> Executor:
    """Make the executor that fits this process; threads = 0 takes one for each core it may use."""
    threads = threads or usable_cores()
    return GeventExecutor(threads) if is_patched() else ThreadExecutor(threads)


def is_patched() -> bool:
    """Tell whether gevent stands in for the threads of the standard library."""
    return bool(monkey.is_module_patched("threading"))


def usable_cores() -> int:
    """Count the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def native_lock() -> Any:
    """Make a lock of the operating system's, for what native threads share, patched or not."""
    return monkey.get_original("_thread", "allocate_lock")()


class ThreadExecutor:
    """Plain threads: the command line, tests and threaded servers.

    Network calls that may be given up have threads of their own, where they end by their own timeouts.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="render")
        self._io_pool = ThreadPoolExecutor(IO_THREADS, thread_name_prefix="io")

    def run(self, function: Callable[[], T]) -> T:
        """See Executor."""
        return self._pool.submit(copy_context().run, function).result()

    def map(self, function: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """See Executor."""
        outcomes = [self._pool.submit(copy_context().run, _Outcome, function, item) for item in items]
        return [outcome.get() for outcome in [future.result() for future in outcomes]]

    def run_native(self, function: Callable[[], T]) -> T:
        """See Executor."""
        return function()

    def run_io(self, function: Callable[[], T]) -> T:
        """See Executor."""
        return function()

    def map_io(
        self, function: Callable[[Item], T], items: Sequence[Item], timeout_s: float | None = None
    ) -> list[T]:
        """See Executor."""
        calls = [self._io_pool.submit(copy_context().run, function, item) for item in items]
        _, late = wait(calls, timeout_s)
        if late:
            for call in late:
                call.cancel()
            raise TimeoutError(f"{len(late)} of {len(calls)} network calls did not end within {timeout_s} s")
        return [call.result() for call in calls]

    def close(self) -> None:
        """See Executor."""
        self._pool.shutdown()
        self._io_pool.shutdown()


class GeventExecutor:
    """gevent's native threads.

    A pool of its own: the hub's resolves host names, which must not wait behind renders.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._hub = gevent.get_hub()
        self._pool = ThreadPool(threads, hub=self._hub)
        self._native_ident = monkey.get_original("_thread", "get_ident")
        self._hub_ident = self._native_ident()
        self._nice_threads: set[int] = set()

    def run(self, function: Callable[[], T]) -> T:
        """See Executor."""
        return self.map(lambda _: function(), [None])[0]

    def map(self, function: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """See Executor."""
        # Outcomes, not exceptions, cross the threads: gevent prints every exception that leaves one.
        running = [self._pool.spawn(copy_context().run, self._call, function, item) for item in items]
        outcomes = [cast("_Outcome[T]", result.get()) for result in running]
        return [outcome.get() for outcome in outcomes]

    def run_native(self, function: Callable[[], T]) -> T:
        """See Executor."""
        if self._native_ident() != self._hub_ident:
            return function()
        # Not one of the pool's threads: all of them may be rendering.
        outcome = self._hub.threadpool.apply(copy_context().run, (_Outcome, lambda _: function(), None))
        return cast("_Outcome[T]", outcome).get()

    def run_io(self, function: Callable[[], T]) -> T:
        """See Executor."""
        if self._native_ident() == self._hub_ident:
            return function()
        return self._on_loop(function)

    def map_io(
        self, function: Callable[[Item], T], items: Sequence[Item], timeout_s: float | None = None
    ) -> list[T]:
        """See Executor."""

        def call_all() -> list[T]:
            places = BoundedSemaphore(IO_THREADS)

            def in_turn(item: Item) -> T:
                with places:
                    return function(item)

            calls = [gevent.spawn(copy_context().run, _Outcome, in_turn, item) for item in items]
            gevent.joinall(calls, timeout_s)
            late = [call for call in calls if not call.dead]
            if late:
                gevent.killall(late, block=False)  # this closes their connections, too
                raise TimeoutError(
                    f"{len(late)} of {len(calls)} network calls did not end within {timeout_s} s"
                )
            outcomes = [cast("_Outcome[T]", call.value) for call in calls]
            return [outcome.get() for outcome in outcomes]

        return call_all() if self._native_ident() == self._hub_ident else self._on_loop(call_all)

    def close(self) -> None:
        """See Executor."""
        self._pool.join()
        self._pool.kill()

    def _call(self, function: Callable[[Item], T], item: Item) -> _Outcome[T]:
        """Call in the thread that this is, which gives way to the loop's from its first call on."""
        thread = threading.get_native_id()
        if thread not in self._nice_threads and sys.platform == "linux":  # elsewhere it is the whole process
            self._nice_threads.add(thread)
            # relative: a process that gives way itself may not take anything back
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + RENDER_NICENESS
            os.setpriority(os.PRIO_PROCESS, thread, min(niceness, MOST_NICENESS))
        return _Outcome(function, item)

    def _on_loop(self, function: Callable[[], T]) -> T:
        """Run on a greenlet of the loop's thread, and wait for it in this native one."""
        answered = native_lock()
        answered.acquire()
        outcomes: list[_Outcome[T]] = []

        def call() -> None:
            try:
                outcomes.append(_Outcome(lambda _: function(), None))
            finally:
                answered.release()

        self._hub.loop.run_callback_threadsafe(gevent.spawn, copy_context().run, call)
        answered.acquire()
        return outcomes[0].get()


class _Outcome(Generic[T]):
    """What a call returned or raised, to be carried to another thread."""

    def __init__(self, function: Callable[[Item], T], item: Item) -> None:
        self._error: BaseException | None = None
        try:
            self._value = function(item)
        except BaseException as exc:  # noqa: BLE001 (raised again where the caller waits)
            self._error = exc

    def get(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value
