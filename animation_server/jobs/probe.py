"""Asks the worker of this machine whether it still takes jobs: an orchestrator's liveness probe.

python -m animation_server.jobs.probe      exit status 0: it does; 1: it does not

A worker that lost Redis and never found it again looks alive to all but a question that comes through Redis.
While Redis itself does not answer, a restart of the worker would mend nothing: that counts as well.
"""

from __future__ import annotations

import socket
import sys

import redis
from kombu.exceptions import OperationalError

from animation_server.jobs.celery_queue import make_celery
from animation_server.settings import Settings

TIMEOUT_S = 5.0


def main() -> int:
    """Ask; returns the exit status, and says on the standard error what was wrong."""
    settings = Settings.from_environ()
    url = settings.redis_url.get_secret_value()
    node = f"celery@{socket.gethostname()}"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S) as client:
            client.ping()
        app = make_celery(url, settings.job_deadline_s)
        answers = app.control.inspect(destination=[node], timeout=TIMEOUT_S).ping()
    except (redis.RedisError, OperationalError) as exc:
        sys.stderr.write(f"Redis does not answer, so the worker cannot be asked: {exc}\n")
        return 0
    if not answers:
        sys.stderr.write(f"expected an answer of {node} within {TIMEOUT_S:g} s, came none\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
