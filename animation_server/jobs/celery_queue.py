"""Jobs brought to workers by Celery, with Redis between.

A message is acknowledged once its job is finished, so a worker that dies leaves it behind: to its own parent
when a child dies, which puts it back at once, and otherwise to whichever worker next looks for messages that
were out for longer than the visibility timeout. Images wait in the object store, under `uploads/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from animation_server.errors import JobsUnavailableError, OverloadedError
from animation_server.storage import ObjectStore

QUEUE = "animations"
"""The Redis list in which messages wait; autoscalers measure its length."""

TASK = "animation_server.make"

TIME_LIMIT_SLACK_S = 5
"""A worker that is so late has not heard its deadline: its process is killed."""

REDELIVERY_SLACK_S = 5
"""Between the latest end of an attempt and the message's return; shorter, and a slow job would come twice."""

LOST_SWEEP_S = 5
"""How often workers look for messages that were out too long."""


def make_celery(redis_url: str, deadline_s: float) -> Celery:
    """Make the Celery app that servers send with and workers work by.

    deadline_s : longest time for one attempt of a job, which everything else is fitted to.
    """
    time_limit_s = deadline_s + TIME_LIMIT_SLACK_S
    app = Celery("animation_server", broker=redis_url, set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # Redis may be away for any time; workers wait
        broker_transport_options={
            "visibility_timeout": time_limit_s + REDELIVERY_SLACK_S,
            "unacked_restore_interval": LOST_SWEEP_S,
            "unacked_restore_throttle": 1,
            # a worker killed while it looked must not keep the others from looking for five minutes
            "unacked_mutex_expire": 30,
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "socket_keepalive": True,
        },
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_timeout=False,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        # Once more, for a connection that a restart has cut; the client is told to come again.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0.2},
        task_time_limit=time_limit_s,
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=500,  # memory creeps by up to half a megabyte a job
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=120.0,  # children load the models and compile before they are up
    )
    return app


def upload_key(job_id: str) -> str:
    """Return where the image of a job waits."""
    return f"uploads/{job_id}"


class CeleryQueue:
    """Sends jobs to Celery's workers; a JobQueue.

    client : of the same Redis, to see how many wait. most_waiting : those beyond are turned away.
    """

    def __init__(self, app: Celery, store: ObjectStore, client: redis.Redis, most_waiting: int) -> None:
        self._app = app
        self._store = store
        self._client = client
        self._most_waiting = most_waiting

    def has_room(self) -> bool:
        """See JobQueue."""
        return self.waiting() < self._most_waiting

    def accept(self, job_id: str, image: bytes) -> None:
        """See JobQueue."""
        if not self.has_room():
            raise OverloadedError(f"{self._most_waiting} jobs are waiting already. Try again later.")
        if image:
            self._store.put(upload_key(job_id), image, "application/octet-stream")

    def send(self, job_id: str) -> None:
        """See JobQueue."""
        with _translated():
            self._app.send_task(TASK, args=[job_id], task_id=job_id, queue=QUEUE)

    def discard(self, job_id: str) -> None:
        """See JobQueue."""
        self._store.delete([upload_key(job_id)])

    def waiting(self) -> int:
        """See JobQueue."""
        with _translated():
            return int(self._client.llen(QUEUE))

    def close(self) -> None:
        """See JobQueue; what was sent is the workers' affair."""
        self._app.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, redis.RedisError) as exc:
        raise JobsUnavailableError(f"Redis: {type(exc).__name__}: {exc}") from exc
