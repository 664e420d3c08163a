"""Running one job: once, with its failures told, and stopped when it should be."""

from __future__ import annotations

import time
from typing import Any

import pytest

from animation_server.errors import (
    InferenceUnavailableError,
    JobsUnavailableError,
    NoFigureError,
    OverloadedError,
    StorageError,
)
from animation_server.jobs import runner
from animation_server.jobs.job import Job, JobResult
from animation_server.jobs.records import JobRecords, MemoryRecords
from animation_server.jobs.runner import MOST_ATTEMPTS, Make, ProgressMeter, run_job
from animation_server.service.admission import Deadline
from tests.job_records import RESULT, add_job, get_job


def succeed(meter: ProgressMeter, deadline: Deadline) -> JobResult:
    return RESULT


def fail_with(error: Exception) -> Make:
    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        raise error

    return make


def test_runs_a_job_once(records: JobRecords) -> None:
    """A message that comes twice finds the job done and makes nothing."""
    job_id = add_job(records)
    made = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        made.append(1)
        return RESULT

    assert run_job(job_id, make, records, 10) is None
    assert run_job(job_id, make, records, 10) is None
    job = get_job(records, job_id)
    assert (job.state, job.progress, job.result, len(made)) == ("done", 1.0, RESULT, 1)


def test_a_job_is_promised(records: JobRecords) -> None:
    """It was accepted when it was handed in: no queue turns it away any more."""
    promised = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        promised.append(deadline.promised)
        return RESULT

    run_job(add_job(records), make, records, 10)
    assert promised == [True]


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (NoFigureError("Expected a figure."), "no_figure", 422),
        (ValueError("secret"), "internal_error", 500),
    ],
)
def test_tells_why_a_job_failed(records: JobRecords, error: Exception, code: str, status: int) -> None:
    """Callers' mistakes in their words, our own without a word of what went wrong."""
    job_id = add_job(records)
    assert run_job(job_id, fail_with(error), records, 10) is None
    job = get_job(records, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.code, job.error.status) == (code, status)
    assert "secret" not in job.error.message


@pytest.mark.parametrize(
    "error", [InferenceUnavailableError("http://inside"), StorageError("x"), OverloadedError("x")]
)
def test_tries_again_what_may_pass(records: JobRecords, error: Exception) -> None:
    """A dependency that is away puts the job back, later and later; the last time it fails for good."""
    job_id = add_job(records)
    delays = []
    while (retry_s := run_job(job_id, fail_with(error), records, 10)) is not None:
        assert get_job(records, job_id).state == "queued"
        delays.append(retry_s)
    assert delays == sorted(set(delays))
    assert len(delays) == MOST_ATTEMPTS - 1
    job = get_job(records, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.retry_after_s
    assert "inside" not in job.error.message


def test_gives_up_a_job_that_kills_its_workers(records: JobRecords) -> None:
    """Begun too often without an end, a job is failed and not made again."""
    job_id = add_job(records)
    for _ in range(MOST_ATTEMPTS):
        assert records.begin(job_id).may == "begin"
        records.release(job_id)  # as its hold ends when a worker dies
    assert run_job(job_id, fail_with(AssertionError("made again")), records, 10) is None
    job = get_job(records, job_id)
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_stops_when_cancelled(records: JobRecords) -> None:
    """Work under way notices that its job was cancelled; what it returns then counts no more."""
    job_id = add_job(records)
    noticed = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        assert records.update(job_id, state="cancelled")
        while not deadline.cancelled:
            time.sleep(0.01)
        noticed.append(1)
        return RESULT

    assert run_job(job_id, make, records, 10) is None
    assert noticed
    assert get_job(records, job_id).state == "cancelled"
    assert get_job(records, job_id).result is None


def test_stops_at_its_deadline(records: JobRecords) -> None:
    """A job that takes longer than one may is failed as any request would be."""
    job_id = add_job(records)

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        while True:
            deadline.check()
            time.sleep(0.01)

    assert run_job(job_id, make, records, 0.1) is None
    job = get_job(records, job_id)
    assert job.error is not None
    assert (job.error.code, job.error.status) == ("deadline_exceeded", 504)


def test_reports_progress_while_it_works(records: JobRecords) -> None:
    """What the meter says is in the record while the job runs."""
    job_id = add_job(records)
    seen: list[Job] = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        meter.stage, meter.progress = "draw", 0.4
        while not (seen and seen[-1].progress):
            seen.append(get_job(records, job_id))
            time.sleep(0.01)
        return RESULT

    run_job(job_id, make, records, 10)
    assert (seen[-1].state, seen[-1].stage, seen[-1].progress) == ("running", "draw", 0.4)


class ForgetfulRecords(MemoryRecords):
    """Records that are away when the outcome is to be recorded, so many times."""

    def __init__(self, away: int) -> None:
        super().__init__(60)
        self.away = away

    def update(self, job_id: str, **changes: Any) -> bool:
        if changes.get("state") == "done" and self.away:
            self.away -= 1
            raise JobsUnavailableError("away")
        return super().update(job_id, **changes)


def test_an_outcome_waits_for_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that come back in time are told; where they stay away the caller hears of it, to try again."""
    monkeypatch.setattr(runner, "RECORD_PAUSE_S", 0.01)
    records = ForgetfulRecords(away=2)
    job_id = add_job(records)
    assert run_job(job_id, succeed, records, 10) is None
    assert get_job(records, job_id).state == "done"
    monkeypatch.setattr(runner, "RECORD_PATIENCE_S", 0.0)
    records.away, job_id = 1, add_job(records)
    with pytest.raises(JobsUnavailableError):
        run_job(job_id, succeed, records, 10)
    assert run_job(job_id, succeed, records, 10) is None
    assert get_job(records, job_id).state == "done"
