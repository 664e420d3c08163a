"""What the parts tell whoever watches the service. Nothing depends on being watched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from animation_server.errors import AnimationError

Dependency = Literal["torchserve", "s3", "redis"]

Source = Literal["stored", "shared", "rendered"]
"""Where an animation came from: made before, made for an equal request at the same time, or for this one."""

STAGES = ("decode", "detect", "pose", "mask", "retarget", "deform", "draw", "encode", "store")
"""Where the time of a request goes, in the order in which a drawing passes."""


@dataclass(frozen=True)
class Call:
    """One call to a dependency, retries included.

    operation : what was asked for, from a small set. seconds : until the answer or the failure.
    failure : the error's code, empty where it succeeded.
    """

    dependency: Dependency
    operation: str
    seconds: float
    failure: str = ""


class Observer(Protocol):
    """Is told of what happens, from any thread. Its methods are quick and raise nothing."""

    def stage(self, stage: str, seconds: float) -> None:
        """Note that one of STAGES took that long, once; may serve as stages.Observe."""
        ...

    def queued(self, change: int) -> None:
        """Note that a request took a place among those worked on or waiting (1), or left it (-1)."""
        ...

    def delivered(self, source: Source, count: int) -> None:
        """Note how many animations of a request came from where."""
        ...

    def annotated(self, models: str, outcome: Literal["figure", "no_figure"]) -> None:
        """Note what this version of the models made of a drawing."""
        ...

    def called(self, call: Call) -> None:
        """Note a call to a dependency."""
        ...

    def retried(self, dependency: Dependency) -> None:
        """Note that a dependency was asked once more."""
        ...

    def job_entered(self, state: str) -> None:
        """Note that a job has entered a state; one that is tried again is queued and running again."""
        ...


class Unwatched:
    """Ignores everything; implements Observer."""

    def stage(self, stage: str, seconds: float) -> None:
        """See Observer."""

    def queued(self, change: int) -> None:
        """See Observer."""

    def delivered(self, source: Source, count: int) -> None:
        """See Observer."""

    def annotated(self, models: str, outcome: Literal["figure", "no_figure"]) -> None:
        """See Observer."""

    def called(self, call: Call) -> None:
        """See Observer."""

    def retried(self, dependency: Dependency) -> None:
        """See Observer."""

    def job_entered(self, state: str) -> None:
        """See Observer."""


@contextmanager
def calling(observer: Observer, dependency: Dependency, operation: str) -> Iterator[None]:
    """Tell an observer of the call made within the block; an AnimationError that leaves it is a failure."""
    started = time.perf_counter()
    failure = ""
    try:
        yield
    except AnimationError as exc:
        failure = exc.code
        raise
    finally:
        observer.called(Call(dependency, operation, time.perf_counter() - started, failure))
