"""Workers of queued jobs: what they need, and what they log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from animation_server.errors import SettingsError
from animation_server.jobs.ids import log_name, new_job_id
from animation_server.jobs.worker import configure_logs, run_worker
from animation_server.settings import Settings
from animation_server.telemetry.request_context import REQUEST_ID


@pytest.mark.parametrize("settings", [Settings(), Settings(jobs="celery")])
def test_no_worker_without_a_queue(settings: Settings) -> None:
    """A worker that would wait for nothing says what it lacks."""
    with pytest.raises(SettingsError, match="ANIMATION_JOBS=celery"):
        run_worker(settings)


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
