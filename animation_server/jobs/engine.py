"""Jobs as the API and the command line see them: hand in, look, follow, cancel.

An engine is a place for records and a queue. Two pairs exist: memory and threads of this process; Redis and
Celery.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from animation_server.errors import AnimationError, InputError, JobsUnavailableError
from animation_server.jobs.ids import new_job_id
from animation_server.jobs.job import Job, JobRequest, new_job
from animation_server.jobs.records import JobRecords, Ticket

LOOK_INTERVAL_S = 0.25
"""How often a job that somebody follows is looked at. Looking heals by itself when Redis was away; a
subscription would not, and would hold a connection for every client.
"""

QUIET_S = 10.0
"""After that long without news a follower is told that there are none: proxies cut silent connections."""


class JobQueue(Protocol):
    """Brings jobs to whoever works on them. Every method raises JobsUnavailableError or StorageError."""

    def has_room(self) -> bool:
        """Tell whether one more job may wait."""
        ...

    def accept(self, job_id: str, image: bytes) -> None:
        """Make room for a job and keep its image, if it has one; OverloadedError where too many wait."""
        ...

    def send(self, job_id: str) -> None:
        """Let an accepted job be worked on. Sent twice, it is still made once."""
        ...

    def discard(self, job_id: str) -> None:
        """Let go of what was kept for a job that nobody will work on."""
        ...

    def waiting(self) -> int:
        """Count the jobs that wait for a worker."""
        ...

    def close(self) -> None:
        """Finish what was accepted by this process, then let go of threads and connections."""
        ...


@dataclass(frozen=True)
class IdempotencyKey:
    """What makes a request that is sent again known.

    name : the key, together with whose it is. fingerprint : digest of the request itself.
    """

    name: str
    fingerprint: str


class JobEngine:
    """Holds the records and the queue. Safe to call from several threads."""

    def __init__(self, records: JobRecords, queue: JobQueue) -> None:
        self._records = records
        self._queue = queue
        self.is_leaving: Callable[[], bool] = lambda: False
        """Whether this process is about to end. Jobs that outlive it are then followed no longer: whoever
        waits for them asks another server."""

    def submit(self, request: JobRequest, image: bytes = b"", key: IdempotencyKey | None = None) -> Job:
        """Hand in a job; with a key that came before, return the job that it stands for.

        image : what is to be animated, empty where the request names a character.
        Raises OverloadedError where too many jobs wait, InputError where the key came with another request.
        """
        job = new_job(new_job_id())
        if key is not None:
            job_id = self.recall(key, job.id)
            known = self._records.get(job_id)
            if known is not None:
                # The server may have been killed before it could send it; repeats must not fill the queue.
                if known.state == "queued" and self._queue.has_room():
                    self._queue.send(known.id)
                return known
            job = new_job(job_id)
        self._queue.accept(job.id, image)
        is_new = True
        try:
            is_new = self._records.add(job, request)
            self._queue.send(job.id)
        except AnimationError:
            if is_new:  # else it is an equal call's, which may have sent it
                self._take_back(job.id)
            raise
        return job

    def recall(self, key: IdempotencyKey, job_id: str = "") -> str:
        """Return the id of the job that a key stands for, which is `job_id` where the key is new.

        Raises InputError with status 422 where the key came with another request.
        """
        ticket = self._records.remember(key.name, Ticket(key.fingerprint, job_id or new_job_id()))
        if ticket.fingerprint != key.fingerprint:
            raise InputError(
                "Idempotency-Key: expected the request that the key first came with, came another. "
                "Use a new key for a new request.",
                code="idempotency_key_reused",
                status=422,
            )
        return ticket.job_id

    def get(self, job_id: str) -> Job:
        """Return a job as it is now; InputError with status 404 where there is none."""
        job = self._records.get(job_id)
        if job is None:
            raise InputError(
                "Expected the id of a job; there is none by that id, or none any more.",
                code="unknown_job",
                status=404,
            )
        return job

    def wait(self, job_id: str, seconds: float) -> Job:
        """Return a job once it is finished, or as it is when the time is up."""
        give_up_at = time.monotonic() + seconds
        while True:
            job = self.get(job_id)
            left_s = give_up_at - time.monotonic()
            if job.is_finished or left_s <= 0 or self.is_leaving():
                return job
            time.sleep(min(LOOK_INTERVAL_S, left_s))

    def follow(self, job_id: str) -> Iterator[Job | None]:
        """Yield a job as it is now and whenever it has changed, until it is finished or gone, or we leave.

        None now and then where nothing changes, or nothing can be told because Redis does not answer.
        """
        last: Job | None = None
        heard_at = time.monotonic()
        while not self.is_leaving() and (last is None or not last.is_finished):
            news: Job | None = None
            try:
                news = self._records.get(job_id)
                if news is None:
                    return
            except JobsUnavailableError:
                news = last
            if news is not None and not _look_alike(news, last):
                last, heard_at = news, time.monotonic()
                yield news
            elif time.monotonic() - heard_at >= QUIET_S:
                heard_at = time.monotonic()
                yield None
            else:
                time.sleep(LOOK_INTERVAL_S)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job unless it is finished; return it as it is then. Work under way soon stops."""
        self.get(job_id)
        if self._records.update(job_id, state="cancelled", stage=""):
            self._queue.discard(job_id)
        return self.get(job_id)

    def forget(self, job_id: str) -> None:
        """Cancel a job unless it is finished, and forget it. What it has made stays."""
        self.cancel(job_id)
        self._records.remove(job_id)

    def waiting(self) -> int:
        """Count the jobs that wait for a worker; raises JobsUnavailableError."""
        return self._queue.waiting()

    def check(self) -> None:
        """Return when jobs can be handed in; raise JobsUnavailableError otherwise."""
        self._records.check()

    def close(self) -> None:
        """Finish what this process accepted, then let go of threads and connections."""
        self._queue.close()
        self._records.close()

    def _take_back(self, job_id: str) -> None:
        for undo in (self._records.remove, self._queue.discard):
            try:
                undo(job_id)
            except AnimationError:  # what keeps us from undoing is what is raised already; both expire
                continue


def _look_alike(one: Job, other: Job | None) -> bool:
    return other is not None and (one.state, one.stage, one.progress) == (
        other.state,
        other.stage,
        other.progress,
    )
