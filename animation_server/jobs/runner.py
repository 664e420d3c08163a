"""Works on one job: the same for every engine."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from animation_server.errors import (
    CancelledError,
    DeadlineError,
    DependencyError,
    JobsUnavailableError,
    OverloadedError,
)
from animation_server.jobs.ids import log_name
from animation_server.jobs.job import JobError, JobResult, job_error
from animation_server.jobs.records import JobRecords
from animation_server.service.admission import Deadline

log = logging.getLogger(__name__)

REPORT_INTERVAL_S = 0.25
"""How often a running job says how far it is, and asks whether it is still wanted."""

MOST_ATTEMPTS = 5
"""Begun more often, a job is given up: it takes its workers down, or what it needs has been away for long."""

HELD_RETRY_S = 3.0
"""When to look again at a job that another worker seems to be at."""

RECORD_PATIENCE_S = 60.0
"""How long an outcome waits for Redis to come back; what was made is in the store already."""

RECORD_PAUSE_S = 1.0

GIVEN_UP = JobError("worker_lost", f"The work was begun {MOST_ATTEMPTS} times and never came to an end.", 500)


class ProgressMeter:
    """How far a job is. Written by the threads that work, read by the one that reports."""

    def __init__(self) -> None:
        self.stage = ""
        self.progress = 0.0


Make = Callable[[ProgressMeter, Deadline], JobResult]


def run_job(job_id: str, make: Make, records: JobRecords, deadline_s: float) -> float | None:
    """Make what a job asks for, unless it is finished or cancelled already, and record what came of it.

    make : does the work; tells the meter how far it is and heeds the deadline.
    deadline_s : longest time one attempt may take.
    Returns None where nothing is left to do, else the seconds after which the job should be tried again.
    Raises JobsUnavailableError where the records do not answer; what was made by then is in the store.
    """
    turn = records.begin(job_id)
    if turn.may == "skip":
        return None
    if turn.may == "wait":
        return HELD_RETRY_S
    started = time.monotonic()
    changes, retry_s = _attempt(job_id, make, records, deadline_s, turn.attempt)
    _record(records, job_id, changes)
    fields = {"job": log_name(job_id), "state": changes.get("state", "cancelled"), "attempt": turn.attempt}
    log.info("job", extra={**fields, "duration_ms": round((time.monotonic() - started) * 1000, 1)})
    return retry_s


def _attempt(
    job_id: str, make: Make, records: JobRecords, deadline_s: float, attempt: int
) -> tuple[dict[str, Any], float | None]:
    """Return what is to be recorded, and after how many seconds to try again."""
    if attempt > MOST_ATTEMPTS:
        return _failure(GIVEN_UP), None
    meter, deadline = ProgressMeter(), Deadline.after(deadline_s, promised=True)
    try:
        with _reporting(job_id, meter, deadline, records):
            result = make(meter, deadline)
    except CancelledError:
        # We know of it from the records, where the job is finished or gone, and may have come again by now.
        return {}, None
    except DeadlineError as exc:
        return _failure(job_error(exc)), None
    except (DependencyError, OverloadedError) as exc:
        log.warning("job failed", extra={"job": log_name(job_id), "attempt": attempt, "reason": str(exc)})
        if attempt < MOST_ATTEMPTS:
            return {"state": "queued", "stage": "", "progress": 0.0}, float(2**attempt)
        return _failure(job_error(exc)), None
    except Exception as exc:
        error = job_error(exc)
        if error.status >= 500:
            log.error("unexpected exception", exc_info=exc, extra={"job": log_name(job_id)})
        return _failure(error), None
    return {"state": "done", "stage": "", "progress": 1.0, "result": result}, None


def _failure(error: JobError) -> dict[str, Any]:
    return {"state": "failed", "stage": "", "error": error}


@contextmanager
def _reporting(job_id: str, meter: ProgressMeter, deadline: Deadline, records: JobRecords) -> Iterator[None]:
    """Report a job's progress during the block; cancel the deadline of one that is no longer wanted."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(REPORT_INTERVAL_S):
            # Redis may be away for a while: the work goes on.
            with suppress(JobsUnavailableError):
                if not records.update(job_id, stage=meter.stage, progress=round(meter.progress, 3)):
                    deadline.cancel()
                    return

    reporter = threading.Thread(target=report, name=f"report {log_name(job_id)}", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def _record(records: JobRecords, job_id: str, changes: dict[str, Any]) -> None:
    give_up_at = time.monotonic() + RECORD_PATIENCE_S
    while True:
        try:
            if changes:
                records.update(job_id, **changes)
            records.release(job_id)
        except JobsUnavailableError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(RECORD_PAUSE_S)
        else:
            return
