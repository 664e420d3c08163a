"""Workers of queued jobs: what they need, and what they log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from animation_server.animate import AnimationOptions
from animation_server.errors import CancelledError, SettingsError
from animation_server.jobs.celery_queue import upload_key
from animation_server.jobs.ids import log_name, new_job_id
from animation_server.jobs.job import JobRequest, JobResult, new_job
from animation_server.jobs.records import MemoryRecords
from animation_server.jobs.runner import ProgressMeter
from animation_server.jobs.worker import _Child, configure_logs, run_worker
from animation_server.service.admission import Deadline
from animation_server.settings import Settings
from animation_server.storage.local import LocalStore
from animation_server.telemetry.request_context import REQUEST_ID
from tests.drawings import DRAWING


@pytest.mark.parametrize("settings", [Settings(), Settings(jobs="celery")])
def test_no_worker_without_a_queue(settings: Settings) -> None:
    """A worker that would wait for nothing says what it lacks."""
    with pytest.raises(SettingsError, match="ANIMATION_JOBS=celery"):
        run_worker(settings)


@pytest.mark.parametrize("comes_again", [True, False])
def test_an_image_stays_for_the_job_that_it_came_with(tmp_path: Path, comes_again: bool) -> None:
    """A job that was deleted while it was worked on takes its image along, but not that of its successor."""
    store = LocalStore(tmp_path, "http://127.0.0.1:8000")
    records = MemoryRecords(3600.0)
    job = new_job(new_job_id())

    def hand_in() -> None:
        store.put(upload_key(job.id), DRAWING, "application/octet-stream")
        records.add(job, JobRequest(("dab",), AnimationOptions()))

    def make(request: JobRequest, image: bytes, meter: ProgressMeter, deadline: Deadline) -> JobResult:
        assert image == DRAWING
        records.remove(job.id)
        if comes_again:
            hand_in()
        raise CancelledError("Nobody wants it any more.")

    child = _Child(Settings())
    child._records, child._make = records, make
    child._service = SimpleNamespace(store=store)
    hand_in()
    assert child.run(job.id) is None
    assert store.exists([upload_key(job.id)]) == [comes_again]


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    """Undo what a test configures."""
    loggers = [logging.getLogger(name) for name in (None, *logging.root.manager.loggerDict)]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate


@pytest.mark.usefixtures("_logging_as_before")
def test_logs_name_no_job_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever Celery has to say of a job, at any level; lines of ours keep their request's id."""
    job_id, request_id = new_job_id(), new_job_id()
    configure_logs(Settings(log_level="debug"))
    name = "animation_server.make"
    late = "Hard time limit (%ss) exceeded for %s[%s]"
    logging.getLogger("celery.worker.request").error(late, 125, name, job_id)
    failed, data = "Task %(name)s[%(id)s] failed", {"name": name, "id": job_id, "args": f"['{job_id}']"}
    logging.getLogger("celery.app.trace").error(failed, data, extra={"data": data})
    logging.getLogger("kombu").debug("body:\n%s", job_id)
    token = REQUEST_ID.set(request_id)
    logging.getLogger("animation_server.jobs.runner").info("job", extra={"job": log_name(job_id)})
    REQUEST_ID.reset(token)
    said = capsys.readouterr().err
    lines = [json.loads(line) for line in said.splitlines()]
    assert job_id not in said
    assert [log_name(job_id) in json.dumps(line) for line in lines] == [True] * 4
    assert lines[-1]["request_id"] == request_id
