"""A batch on other machines: every drawing a job, worked on by Celery workers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from animation_server.batch.inputs import BatchInput
from animation_server.batch.journal import Journal, Outcome, failure
from animation_server.clip import CONTENT_TYPES, EXTENSIONS
from animation_server.errors import InputError, OverloadedError, StorageError
from animation_server.jobs.engine import JobEngine
from animation_server.jobs.job import Job, JobError, JobRequest
from animation_server.one_shot import read_image
from animation_server.storage import ObjectStore

MOST_UNDER_WAY = 64
"""Jobs of one batch in the queue: enough for as many worker processes, and others have their turn."""

LOOK_INTERVAL_S = 0.5


@dataclass(frozen=True)
class BatchByJobs:
    """What the jobs of a batch share.

    request : what is made of each drawing. made : where workers store; output : where the batch does.
    """

    request: JobRequest
    engine: JobEngine
    made: ObjectStore
    output: ObjectStore
    journal: Journal

    def make(self, items: Sequence[BatchInput]) -> Generator[Outcome]:
        """Make all drawings, yield what came of each as it comes.

        Raises JobsUnavailableError or StorageError where these do not answer. What workers are at then they
        finish, and the next batch finds it made.
        """
        waiting, under_way = deque(items), dict[str, tuple[BatchInput, str]]()
        while waiting or under_way:
            while waiting and len(under_way) < MOST_UNDER_WAY:
                try:
                    handed = self._hand_in(waiting[0])
                except OverloadedError:  # others have filled the queue
                    break
                item = waiting.popleft()
                if isinstance(handed, Outcome):
                    yield handed
                else:
                    job_id, digest = handed
                    under_way[job_id] = item, digest
            looked = [(job_id, self.engine.get(job_id)) for job_id in under_way]
            for job_id, job in looked:
                if job.is_finished:
                    yield self._take(job, *under_way.pop(job_id))
            if waiting or under_way:
                time.sleep(LOOK_INTERVAL_S)

    def _hand_in(self, item: BatchInput) -> Outcome | tuple[str, str]:
        """Return what there is to say already, or the job's id and the digest of what it is made of."""
        try:
            image = read_image(item.path)
        except InputError as exc:
            return failure(item, exc)
        digest = self.journal.digest(image)
        if self.journal.is_done(item, digest):
            return Outcome(item, "skipped")
        return self.engine.submit(self.request, image).id, digest

    def _take(self, job: Job, item: BatchInput, digest: str) -> Outcome:
        """Take what a job has made into the output."""
        if job.result is None:
            error = job.error or CANCELLED
            return Outcome(
                item, "failed", error.code, error.message, may_pass=error.retry_after_s is not None
            )
        chosen, files = self.request.options.format, {}
        for motion, key in job.result.keys.items():
            data = self.made.get(key)
            if data is None:
                raise StorageError(f"{item.name}: expected the {motion} that a job has just made, it is gone")
            files[motion] = f"{motion}.{EXTENSIONS[chosen]}"
            self.output.put(f"{item.name}/{files[motion]}", data, CONTENT_TYPES[chosen])
        self.journal.write(item, digest, files)
        return Outcome(item, "done")


CANCELLED = JobError("cancelled", "the job was cancelled", 409)
