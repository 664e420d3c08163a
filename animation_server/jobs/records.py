"""Where the states of jobs are kept, so that whoever asks can be told.

A job is a record that any process may read, its worker moves forward, and its owner may cancel. Once it is
finished nothing changes it, whoever comes late. Records expire.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from animation_server.concurrency import native_lock
from animation_server.jobs.job import Job, JobRequest

MOST_KEPT = 20_000
"""Finished jobs that a process remembers, and as many keys. A job takes one or two kB, a key half a kB."""


@dataclass(frozen=True)
class Turn:
    """Whether a worker that came to work on a job may.

    may : "begin"; "skip" where there is nothing left to do; "wait" where another is at it.
    attempt : how often it was begun, this time included.
    """

    may: Literal["begin", "skip", "wait"]
    attempt: int = 0


@dataclass(frozen=True)
class Ticket:
    """What an idempotency key stands for.

    fingerprint : digest of the request that first came with the key. job_id : of its job.
    """

    fingerprint: str
    job_id: str


class JobRecords(Protocol):
    """Keeps jobs. Safe to call from several threads; every method raises JobsUnavailableError on failure."""

    def add(self, job: Job, request: JobRequest) -> bool:
        """Keep a new job; False, and no change, where it is there already."""
        ...

    def get(self, job_id: str) -> Job | None:
        """Return a job as it is now, None where there is none or no longer."""
        ...

    def get_request(self, job_id: str) -> JobRequest | None:
        """Return what a job is to make."""
        ...

    def begin(self, job_id: str) -> Turn:
        """Ask to work on a job. Whoever may begin holds it until `update` was not called for some seconds."""
        ...

    def update(self, job_id: str, **changes: Any) -> bool:
        """Change fields of an unfinished job; False, and no change, where it is finished or gone."""
        ...

    def release(self, job_id: str) -> None:
        """Let others begin a job at once."""
        ...

    def remove(self, job_id: str) -> None:
        """Forget a job."""
        ...

    def remember(self, key: str, ticket: Ticket) -> Ticket:
        """Bind an idempotency key to a ticket unless it is bound; return the one it is bound to."""
        ...

    def check(self) -> None:
        """Return when jobs can be kept."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryRecords:
    """Keeps jobs in this process; implements JobRecords.

    expiry_s : how long a job is kept after its last change, unless MOST_KEPT are newer.
    clock : seconds since the epoch.
    """

    def __init__(self, expiry_s: float, clock: Callable[[], float] = time.time) -> None:
        self._expiry_s = expiry_s
        self._clock = clock
        self._lock = native_lock()  # progress comes from native threads
        # Oldest first, by their last change: what has expired is at the front, and nothing else is looked at.
        self._jobs: OrderedDict[str, tuple[Job, JobRequest]] = OrderedDict()
        self._tickets: OrderedDict[str, tuple[float, Ticket]] = OrderedDict()
        self._attempts: dict[str, int] = {}

    def add(self, job: Job, request: JobRequest) -> bool:
        """See JobRecords."""
        with self._lock:
            self._drop_expired()
            is_new = job.id not in self._jobs
            self._jobs.setdefault(job.id, (job, request))
            return is_new

    def get(self, job_id: str) -> Job | None:
        """See JobRecords."""
        with self._lock:
            job, _ = self._jobs.get(job_id, (None, None))
            return None if job is None or self._is_expired(job) else job

    def get_request(self, job_id: str) -> JobRequest | None:
        """See JobRecords."""
        with self._lock:
            return self._jobs.get(job_id, (None, None))[1]

    def begin(self, job_id: str) -> Turn:
        """See JobRecords; here a job has one worker only, which never has to wait for another."""
        if not self.update(job_id, state="running"):
            return Turn("skip")
        with self._lock:
            attempt = self._attempts[job_id] = self._attempts.get(job_id, 0) + 1
        return Turn("begin", attempt)

    def update(self, job_id: str, **changes: Any) -> bool:
        """See JobRecords."""
        with self._lock:
            job, request = self._jobs.get(job_id, (None, None))
            if job is None or request is None or job.is_finished:
                return False
            self._jobs[job_id] = replace(job, **changes, updated_at=self._clock()), request
            self._jobs.move_to_end(job_id)
            return True

    def release(self, job_id: str) -> None:
        """See JobRecords."""

    def remove(self, job_id: str) -> None:
        """See JobRecords."""
        with self._lock:
            self._jobs.pop(job_id, None)
            self._attempts.pop(job_id, None)

    def remember(self, key: str, ticket: Ticket) -> Ticket:
        """See JobRecords."""
        with self._lock:
            self._drop_expired()
            return self._tickets.setdefault(key, (self._clock(), ticket))[1]

    def check(self) -> None:
        """See JobRecords."""

    def close(self) -> None:
        """See JobRecords."""

    def _is_expired(self, job: Job) -> bool:
        return job.is_finished and self._clock() - job.updated_at >= self._expiry_s

    def _drop_expired(self) -> None:
        while self._jobs:
            job, _ = next(iter(self._jobs.values()))
            if not self._is_expired(job) and not (job.is_finished and len(self._jobs) > MOST_KEPT):
                break
            del self._jobs[job.id]
            self._attempts.pop(job.id, None)
        too_old = self._clock() - self._expiry_s
        while self._tickets:
            bound_at, _ = next(iter(self._tickets.values()))
            if bound_at > too_old and len(self._tickets) <= MOST_KEPT:
                break
            self._tickets.popitem(last=False)
