"""Whether a worker still takes jobs, asked by way of a real Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.redis import MISSING, redis_server
from tests.parts.worker import worker

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


def ask(url: str) -> subprocess.CompletedProcess[str]:
    """Run the probe as an orchestrator does."""
    environ = {**os.environ, "ANIMATION_REDIS_URL": url, "ANIMATION_JOBS": "celery"}
    command = [sys.executable, "-m", "animation_server.jobs.probe"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_a_worker_is_alive_until_it_takes_no_jobs(tmp_path: Path) -> None:
    """Alive; not alive once it stands still; and no restart is asked for where only Redis is away."""
    with redis_server(tmp_path / "redis") as redis:
        settings = {"ANIMATION_JOBS": "celery", "ANIMATION_REDIS_URL": redis.url}
        with worker(tmp_path / "worker", settings) as part:
            assert ask(redis.url).returncode == 0
            part.process.send_signal(signal.SIGSTOP)
            try:
                stopped = ask(redis.url)
                assert stopped.returncode == 1
                assert "came none" in stopped.stderr
            finally:
                part.process.send_signal(signal.SIGCONT)
            redis.process.send_signal(signal.SIGSTOP)
            try:
                assert ask(redis.url).returncode == 0
            finally:
                redis.process.send_signal(signal.SIGCONT)
            assert ask(redis.url).returncode == 0
