"""A batch on this machine: processes that each make one drawing after the other."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from animation_server.batch.inputs import BatchInput
from animation_server.batch.journal import Outcome
from animation_server.batch.maker import Maker
from animation_server.batch.plan import BatchPlan
from animation_server.errors import DependencyError

AHEAD = 2
"""Drawings handed to each process at a time: enough to keep it busy, few to go through again when it dies."""

_maker: Maker | None = None
"""Of this process, where it is one of a batch's."""


def make_in_pool(plan: BatchPlan, items: Sequence[BatchInput], workers: int) -> Generator[Outcome]:
    """Make all drawings, yield what came of each as it comes.

    A drawing that takes its process down, be it for want of memory, fails; the others of that process do not.
    Raises DependencyError where processes do not even start. Stopped early, it waits for what is under way.
    """
    waiting, has_made_any = deque(items), False
    while waiting:
        lost: list[BatchInput] = []
        for outcome in _drain(plan, waiting, workers, lost):
            has_made_any = True
            yield outcome
        guilty: list[BatchInput] = []
        for item in lost:  # one of them did it: each gets a process of its own
            for outcome in _drain(plan, deque([item]), 1, guilty):
                has_made_any = True
                yield outcome
        if guilty and not has_made_any:
            raise DependencyError("expected processes that make drawings, all of them end before one is made")
        message = "the process that worked on it ended, twice; is there enough memory?"
        yield from (Outcome(item, "failed", "worker_lost", message) for item in guilty)


def _drain(
    plan: BatchPlan, waiting: deque[BatchInput], workers: int, lost: list[BatchInput]
) -> Generator[Outcome]:
    """Make what waits, until that is all or a process dies; adds to `lost` what was under way then."""
    # Children start from nothing: threads of ours and of the libraries' do not survive a fork.
    context = multiprocessing.get_context("spawn")
    running: dict[Future[Outcome], BatchInput] = {}
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(plan,)) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < AHEAD * workers:
                    running[pool.submit(_make, waiting[0])] = waiting[0]
                    waiting.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcome = _outcome(future, running[future])
                    del running[future]
                    yield outcome
        except BrokenProcessPool:
            lost.extend(running.values())
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(future: Future[Outcome], item: BatchInput) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as exc:  # noqa: BLE001 (a mistake of ours on one drawing must not cost the others)
        return Outcome(item, "failed", "internal_error", f"{type(exc).__name__}: {exc}")


def _start(plan: BatchPlan) -> None:
    global _maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is asked, and lets us finish
    _maker = Maker(plan)


def _make(item: BatchInput) -> Outcome:
    if _maker is None:
        raise RuntimeError("expected a process that was started for a batch")
    return _maker.make(item)
