"""Workers of queued jobs as users run them: Celery, from the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, run

from tests.parts.process import running, wait_until

START_TIMEOUT_S = 60


@dataclass(frozen=True)
class Worker:
    """A running worker: the process that hands out jobs, and its children that work on them."""

    process: Popen[bytes]
    log: Path

    def children(self) -> list[int]:
        """Name the processes that work on jobs."""
        listed = run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]


@contextmanager
def worker(home: Path, settings: Mapping[str, str], processes: int = 1) -> Iterator[Worker]:
    """Run a worker for the length of the block, with `settings` in its environment and no others.

    `home` takes its log.
    """
    home.mkdir(parents=True, exist_ok=True)
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANIMATION_", "AWS_"))
    }
    defaults = {"ANIMATION_LOCAL_DIR": str(home / "objects"), "ANIMATION_WORKER_PROCESSES": str(processes)}
    log = home / "worker.log"
    log.write_text("")
    command = [sys.executable, "-m", "animation_server.cli", "worker"]
    with running("worker", command, log, {**inherited, **defaults, **settings}, grace_s=30) as process:
        wait_until(
            lambda: log.read_text().count("worker process ready") >= processes,
            "worker",
            process,
            log,
            START_TIMEOUT_S,
        )
        yield Worker(process, log)
