"""Job records that tell an observer of every state a job enters, and of every call to where they are kept."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from animation_server.jobs.job import Job, JobRequest
from animation_server.jobs.records import JobRecords, Ticket, Turn
from animation_server.telemetry.observer import Dependency, Observer, calling


class WatchedRecords:
    """Passes everything on to other records; implements JobRecords.

    kept_in : the dependency that they are kept in, None for this process.
    """

    def __init__(self, records: JobRecords, observer: Observer, kept_in: Dependency | None = None) -> None:
        self._records = records
        self._observer = observer
        self._kept_in = kept_in

    def add(self, job: Job, request: JobRequest) -> bool:
        """See JobRecords."""
        with self._calling("add"):
            is_new = self._records.add(job, request)
        if is_new:
            self._observer.job_entered(job.state)
        return is_new

    def get(self, job_id: str) -> Job | None:
        """See JobRecords."""
        with self._calling("get"):
            return self._records.get(job_id)

    def get_request(self, job_id: str) -> JobRequest | None:
        """See JobRecords."""
        with self._calling("get"):
            return self._records.get_request(job_id)

    def begin(self, job_id: str) -> Turn:
        """See JobRecords."""
        with self._calling("begin"):
            turn = self._records.begin(job_id)
        if turn.may == "begin":
            self._observer.job_entered("running")
        return turn

    def update(self, job_id: str, **changes: Any) -> bool:
        """See JobRecords."""
        with self._calling("update"):
            changed = self._records.update(job_id, **changes)
        if changed and "state" in changes:
            self._observer.job_entered(changes["state"])
        return changed

    def release(self, job_id: str) -> None:
        """See JobRecords."""
        with self._calling("release"):
            self._records.release(job_id)

    def remove(self, job_id: str) -> None:
        """See JobRecords."""
        with self._calling("remove"):
            self._records.remove(job_id)

    def remember(self, key: str, ticket: Ticket) -> Ticket:
        """See JobRecords."""
        with self._calling("remember"):
            return self._records.remember(key, ticket)

    def check(self) -> None:
        """See JobRecords."""
        with self._calling("check"):
            self._records.check()

    def close(self) -> None:
        """See JobRecords."""
        self._records.close()

    def _calling(self, operation: str) -> AbstractContextManager[None]:
        if self._kept_in is None:
            return nullcontext()
        return calling(self._observer, self._kept_in, operation)
