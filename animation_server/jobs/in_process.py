"""Jobs worked on by this process: no broker, nothing to install, nothing that outlives the process."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

from animation_server.concurrency import native_lock
from animation_server.errors import OverloadedError
from animation_server.jobs.making import MakeJob
from animation_server.jobs.records import JobRecords
from animation_server.jobs.runner import run_job


@dataclass(frozen=True, eq=False)
class _Kept:
    """A job's image, told from an equal one that comes with the same job later."""

    image: bytes


class InProcessQueue:
    """Threads (greenlets where gevent stands in for them) that take jobs one after the other; a JobQueue.

    make : makes what one job asks for. workers : jobs at a time. most_waiting : jobs that may wait beyond
    those. deadline_s : longest time for one attempt. most_bytes : of the images of all these, which are in
    memory and nowhere else.
    """

    def __init__(
        self,
        make: MakeJob,
        records: JobRecords,
        workers: int,
        most_waiting: int,
        deadline_s: float,
        *,
        most_bytes: int,
    ) -> None:
        self._make = make
        self._records = records
        self._deadline_s = deadline_s
        self._most = workers + most_waiting
        self._most_bytes = most_bytes
        self._lock = native_lock()
        self._kept: dict[str, _Kept] = {}
        self._unsent: set[str] = set()
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        self._started = False

    def has_room(self) -> bool:
        """See JobQueue."""
        return len(self._kept) < self._most

    def accept(self, job_id: str, image: bytes) -> None:
        """See JobQueue."""
        with self._lock:
            if job_id in self._kept:
                return
            held = sum(len(kept.image) for kept in self._kept.values())
            if not self.has_room() or held + len(image) > self._most_bytes:
                raise OverloadedError(
                    f"{len(self._kept)} jobs with {held} bytes of images are waiting or worked on already. "
                    "Try again later."
                )
            self._kept[job_id] = _Kept(image)
            self._unsent.add(job_id)
            is_first, self._started = not self._started, True
        if is_first:  # not before there is a job: many an app never has one
            for thread in self._threads:
                thread.start()  # with no native lock held: under gevent, other greenlets run meanwhile

    def send(self, job_id: str) -> None:
        """See JobQueue."""
        with self._lock:
            if job_id not in self._unsent:
                return
            self._unsent.remove(job_id)
        self._queue.put(job_id)

    def discard(self, job_id: str) -> None:
        """See JobQueue."""
        with self._lock:
            self._kept.pop(job_id, None)
            self._unsent.discard(job_id)

    def waiting(self) -> int:
        """See JobQueue."""
        return self._queue.qsize()

    def close(self) -> None:
        """See JobQueue."""
        if self._started:
            for _ in self._threads:
                self._queue.put(None)
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None:
            kept = self._kept.get(job_id)
            if kept is not None:  # else it was cancelled while it waited
                self._run(job_id, kept.image)
                self._let_go(job_id, kept)

    def _let_go(self, job_id: str, kept: _Kept) -> None:
        """Keep an image no longer; but another's, where the job was forgotten and has come again, stays."""
        with self._lock:
            if self._kept.get(job_id) is kept:
                del self._kept[job_id]

    def _run(self, job_id: str, image: bytes) -> None:
        request = self._records.get_request(job_id)
        if request is None:
            return
        retry_s: float | None = 0.0
        while retry_s is not None:
            time.sleep(retry_s)
            retry_s = run_job(
                job_id,
                lambda meter, deadline: self._make(request, image, meter, deadline),
                self._records,
                self._deadline_s,
            )
