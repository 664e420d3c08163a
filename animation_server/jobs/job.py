"""What a job is: a request for animations, how far it is, and what came of it. Values only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from animation_server.animate import AnimationOptions
from animation_server.errors import AnimationError, CapacityError, DependencyError

State = Literal["queued", "running", "done", "failed", "cancelled"]

UNFINISHED: tuple[State, ...] = ("queued", "running")

UNEXPECTED = "Something went wrong in the server."


@dataclass(frozen=True)
class JobRequest:
    """What is to be made: motions of the figure in an image, which travels beside this, or of a character.

    character : id of a stored character; empty where an image is animated.
    request_id : of the HTTP request that asked for it, for the log.
    """

    motions: tuple[str, ...]
    options: AnimationOptions
    character: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class JobResult:
    """What was made.

    id : names the drawing or the character. keys : motion -> key in the object store; links are made of them
    when somebody asks, for links expire.
    """

    id: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class JobError:
    """Why nothing was made: what the same request would have been answered without a job."""

    code: str
    message: str
    status: int
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Job:
    """A job as it is at one moment.

    stage : of the data's way, empty unless running. progress : 0 to 1. created_at, updated_at : seconds since
    the epoch. result : once done. error : once failed.
    """

    id: str
    state: State = "queued"
    stage: str = ""
    progress: float = 0.0
    created_at: float = 0.0
    updated_at: float = 0.0
    result: JobResult | None = None
    error: JobError | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing about the job will change any more."""
        return self.state not in UNFINISHED


def new_job(job_id: str) -> Job:
    """Make a job that waits for its turn."""
    now = time.time()
    return Job(job_id, created_at=now, updated_at=now)


def job_error(exc: Exception) -> JobError:
    """Tell callers why a job failed; never the text of what is the server's own affair."""
    if not isinstance(exc, AnimationError):
        return JobError("internal_error", UNEXPECTED, 500)
    message = exc.public_message if isinstance(exc, DependencyError) else str(exc)
    retry_after_s = exc.retry_after_s if isinstance(exc, DependencyError | CapacityError) else None
    return JobError(exc.code, message, exc.status, retry_after_s)
