"""A site of queued jobs: gunicorn, Redis and a stand-in for TorchServe; tests start the workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.drawings import drawing
from tests.fake_torchserve import FakeTorchServe, fake_torchserve
from tests.fakes import FigureClient
from tests.parts.process import wait_until
from tests.parts.redis import Redis, redis_server
from tests.parts.server import Server, animation_server

ASYNC = {"Prefer": "respond-async"}
JOB_DEADLINE_S = 6


@dataclass(frozen=True)
class Site:
    """All parts, running, but for workers: each test starts its own."""

    home: Path
    server: Server
    redis: Redis
    torchserve: FakeTorchServe
    settings: dict[str, str]

    def post(
        self, number: int, headers: dict[str, str] | None = None, size: int = 120, **more: Any
    ) -> requests.Response:
        """Ask for two motions of a drawing that no other number stands for."""
        fields = {"motions": "dab,jumping", "size": str(size)}
        return requests.post(
            f"{self.server.url}/v1/animations",
            files={"image": drawing(number)},
            data=fields,
            headers=headers or {},
            timeout=60,
            **more,
        )

    def job(self, job_id: str, wait_s: int = 0) -> dict[str, Any]:
        """Look at a job, once it is finished or the time is up."""
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        answer = requests.get(f"{self.server.url}/v1/jobs/{job_id}", headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def stored(self, folder: str = "") -> list[str]:
        """Name the files in the store."""
        objects = self.home / "objects"
        return sorted(
            str(file.relative_to(objects)) for file in (objects / folder).rglob("*") if file.is_file()
        )

    def begun(self, job_id: str) -> None:
        """Wait until a worker is at a job."""

        def is_begun() -> bool:
            job = self.job(job_id)
            assert job["error"] is None
            return bool(job["state"] == "running")

        wait_until(is_begun, "the job", self.server.process, self.server.log, 60)

    def settle(self) -> None:
        """Wait until no upload is left, which goes when its job has ended."""
        wait_until(lambda: not self.stored("uploads"), "uploads", self.server.process, self.server.log, 10)


@contextmanager
def running_site(home: Path) -> Iterator[Site]:
    """Run the site for the length of the block."""
    with fake_torchserve(FigureClient()) as models, redis_server(home / "redis") as redis:
        settings = {
            **models.settings,
            "ANIMATION_LOCAL_DIR": str(home / "objects"),
            "ANIMATION_JOBS": "celery",
            "ANIMATION_REDIS_URL": redis.url,
            "ANIMATION_JOB_DEADLINE_S": str(JOB_DEADLINE_S),
        }
        with animation_server(home / "server", settings) as server:
            yield Site(home, server, redis, models, settings)
