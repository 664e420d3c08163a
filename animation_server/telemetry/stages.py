"""The stages of making an animation, and whoever wants to know how long each takes.

The core marks its stages (`with stage("deform")`); the service says who is told (`with observed(observe)`).
Nobody is told unless somebody asks, and marking costs a microsecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Observe = Callable[[str, float], None]
"""Called when a stage ends, with the seconds that it took itself, stages within it left out. Threads that
work side by side call at the same time.
"""

T = TypeVar("T")


class _Observer:
    """Who is told in this thread, and the seconds spent in stages within the one that runs."""

    def __init__(self, observe: Observe) -> None:
        self.observe = observe
        self.inner_s = 0.0


_observer: ContextVar[_Observer | None] = ContextVar("stages_observer", default=None)


@contextmanager
def observed(observe: Observe) -> Iterator[None]:
    """Report the stages that this thread passes within the block."""
    token = _observer.set(_Observer(observe))
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Mark a stage; reported also where it fails."""
    observer = _observer.get()
    if observer is None:
        yield
        return
    inner_before, observer.inner_s = observer.inner_s, 0.0
    started = time.perf_counter()
    try:
        yield
    finally:
        spent_s = time.perf_counter() - started
        own_s = spent_s - observer.inner_s
        observer.inner_s = inner_before + spent_s
        observer.observe(name, own_s)


def staged(name: str, items: Iterator[T]) -> Iterator[T]:
    """Pass items on, and report the making of all of them as one stage: what an encoder draws from.

    Of items that are left half way nothing is reported: the garbage collector notices that, within whatever
    the thread is at, which may hold the very lock that whoever is told waits for.
    """
    observer = _observer.get()
    if observer is None:
        yield from items
        return
    spent_s = 0.0
    while True:
        started, ended = time.perf_counter(), True
        try:
            item = next(items)
            ended = False
        except StopIteration:
            return
        finally:
            seconds = time.perf_counter() - started
            spent_s += seconds
            observer.inner_s += seconds
            if ended:
                observer.observe(name, spent_s)
        yield item
