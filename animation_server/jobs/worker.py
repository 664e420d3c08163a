"""A Celery worker: processes that each hold a service and make jobs one after the other.

The parent only hands out messages. It imports neither the models nor the renderer, so that it is small, and
a child that dies takes nobody along.

python -m animation_server.jobs.worker
"""

from __future__ import annotations

import argparse
import logging.config
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery, Task, signals
from celery.exceptions import Reject

from animation_server.concurrency import usable_cores
from animation_server.errors import InputError, JobsUnavailableError, SettingsError, StorageError
from animation_server.jobs.celery_queue import QUEUE, TASK, make_celery, upload_key
from animation_server.jobs.ids import log_name
from animation_server.settings import Settings
from animation_server.telemetry.logs import JsonFormatter, logging_config
from animation_server.telemetry.metrics_directory import forget, share_numbers

if TYPE_CHECKING:
    from animation_server.jobs.job import JobResult
    from animation_server.jobs.runner import ProgressMeter
    from animation_server.service.admission import Deadline

log = logging.getLogger(__name__)

_JOB_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")

REQUEUE_PAUSE_S = 1.0
"""Before a message goes back because Redis does not answer, so that it does not go round and round."""


def main(argv: Sequence[str] | None = None) -> int:
    """Work until SIGTERM or SIGINT, finish what is begun, return the exit status."""
    parser = argparse.ArgumentParser(prog="animation-server worker", description="Work on queued jobs.")
    parser.parse_args(argv)
    try:
        return run_worker(Settings.from_environ())
    except SettingsError as exc:
        sys.stderr.write(f"animation-server: {exc}\n")
        return 2


def run_worker(settings: Settings) -> int:
    """Run a worker as the settings say; returns its exit status.

    Raises SettingsError unless the settings name Celery and a Redis.
    """
    redis_url = settings.redis_url.get_secret_value()
    if settings.jobs != "celery" or not redis_url:
        raise SettingsError(
            "A worker expects ANIMATION_JOBS=celery and the same ANIMATION_REDIS_URL as the server has."
        )
    processes = settings.worker_processes or usable_cores()
    numbers = _serve_numbers(settings) if settings.worker_metrics_port else None
    app = make_celery(redis_url, settings.job_deadline_s)
    child = _Child(_share_of_one(settings, processes))
    _register(app, child)
    # Celery would configure logs and put its own handlers beside ours.
    signals.setup_logging.connect(lambda **_: configure_logs(settings), weak=False)
    signals.worker_process_init.connect(lambda **_: child.open(), weak=False)
    signals.worker_process_shutdown.connect(lambda **_: child.close(), weak=False)
    worker = app.Worker(
        pool="prefork",
        concurrency=processes,
        queues=[QUEUE],
        optimization="fair",
        quiet=True,
        # Workers need not know each other: what they share is the queue.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    if numbers is not None:
        forget(numbers)
    return int(worker.exitcode or 0)


def _serve_numbers(settings: Settings) -> Path:
    """Let the children share their numbers, and tell them to Prometheus; returns where they share them."""
    directory = share_numbers()
    from animation_server.telemetry.metrics_processes import serve_metrics

    serve_metrics(settings.host, settings.worker_metrics_port, directory)
    return directory


def configure_logs(settings: Settings) -> None:
    """Let this process log as servers do, Celery included."""
    config = logging_config(settings.log_level)
    config["formatters"]["json"] = {"()": _WorkerFormatter}
    logging.config.dictConfig(config)
    for name in ("celery.worker.strategy", "celery.app.trace"):  # they tell of every job, and so do we
        logging.getLogger(name).setLevel(logging.WARNING)


class _WorkerFormatter(JsonFormatter):
    """Lets the lines of Celery name jobs as ours do: whole ids let people in."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line = super().format(record)
        if record.name.startswith("animation_server"):  # ours, with the whole ids of requests
            return line
        return _JOB_ID.sub(lambda found: log_name(found[0]), line)


def _share_of_one(settings: Settings, processes: int) -> Settings:
    """Give each process its share of the cores, unless the settings say how many threads it has."""
    threads = max(1, usable_cores() // processes)
    return replace(
        settings,
        render_threads=settings.render_threads or threads,
        inference_threads=settings.inference_threads or threads,
    )


class _Child:
    """What one process holds, made in it after the fork: threads and sessions do not survive one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self) -> None:
        from animation_server.app import make_service
        from animation_server.jobs.making import make_with
        from animation_server.jobs.redis_records import RedisRecords
        from animation_server.jobs.watched_records import WatchedRecords
        from animation_server.telemetry.metrics import Metrics

        url = self._settings.redis_url.get_secret_value()
        metrics = Metrics(self._settings.max_queue)
        self._records = WatchedRecords(RedisRecords(url, self._settings.job_expiry_s), metrics, "redis")
        self._service = make_service(self._settings, metrics)
        self._make = make_with(self._service)
        metrics.runs("worker", self._service.renderer.version)
        self._service.warm_up()
        log.info("worker process ready")

    def close(self) -> None:
        self._service.close()
        self._records.close()

    def run(self, job_id: str) -> float | None:
        """Make a job; see `run_job`."""
        from animation_server.jobs.runner import run_job

        def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
            request = self._records.get_request(job_id)
            if request is None:
                raise InputError("The job was forgotten before it began.", code="unknown_job", status=404)
            return self._make(request, self._image(job_id, request.character), meter, deadline)

        retry_s = run_job(job_id, make, self._records, self._settings.job_deadline_s)
        if retry_s is None:
            self._drop_image(job_id)
        return retry_s

    def _image(self, job_id: str, character: str) -> bytes:
        if character:
            return b""
        image = self._service.store.get(upload_key(job_id))
        if image is None:
            raise InputError(
                "The image of the job is no longer there. Send it again.", code="image_gone", status=410
            )
        return image

    def _drop_image(self, job_id: str) -> None:
        if self._has_come_again(job_id):
            return
        try:
            self._service.store.delete([upload_key(job_id)])
        except StorageError as exc:
            log.warning("upload not deleted", extra={"job": log_name(job_id), "reason": str(exc)})

    def _has_come_again(self, job_id: str) -> bool:
        """Whether a job was deleted while it was worked on and handed in anew: its image has the same key."""
        try:
            job = self._records.get(job_id)
        except JobsUnavailableError:  # better an image too few than one that stays
            return False
        return job is not None and not job.is_finished


def _register(app: Celery, child: _Child) -> None:
    @app.task(name=TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]
    def make(self: Task[Any, Any], job_id: str) -> None:
        """Make a job, and see to it that its message stays until that is done."""
        try:
            retry_s = child.run(job_id)
        except JobsUnavailableError as exc:
            log.warning("job put back", extra={"job": log_name(job_id), "reason": str(exc)})
            time.sleep(REQUEUE_PAUSE_S)
            raise Reject(exc, requeue=True) from exc
        if retry_s is not None:
            try:
                self.retry(countdown=retry_s)
            except Reject as exc:  # Celery would drop a message that it cannot send on
                raise Reject(exc.reason, requeue=True) from exc


if __name__ == "__main__":
    sys.exit(main())
