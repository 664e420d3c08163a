"""A job, its result, and records that tests put and look it up in."""

from __future__ import annotations

from animation_server.animate import AnimationOptions
from animation_server.jobs.ids import new_job_id
from animation_server.jobs.job import Job, JobRequest, JobResult, new_job
from animation_server.jobs.records import JobRecords

REQUEST = JobRequest(
    ("dab", "zombie"), AnimationOptions(size=(64, 48), background=(1, 2, 3)), request_id="r1"
)
RESULT = JobResult("drawing", {"dab": "drawing/dab-1.gif"})


def add_job(records: JobRecords) -> str:
    """Add a job that is REQUEST; return its id."""
    job = new_job(new_job_id())
    records.add(job, REQUEST)
    return job.id


def get_job(records: JobRecords, job_id: str) -> Job:
    """Look up a job that is there."""
    job = records.get(job_id)
    assert job is not None
    return job
