"""What workers tell Prometheus: their own numbers, from a port of their own."""

from __future__ import annotations

import os
import signal

import pytest
import requests

from animation_server.telemetry.observer import STAGES
from tests.expositions import Numbers, numbers
from tests.parts import redis as redis_part
from tests.parts.process import free_ports, wait_until
from tests.parts.site import ASYNC, Site
from tests.parts.worker import worker

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(redis_part.MISSING), reason=redis_part.MISSING)]


def scrape(url: str) -> Numbers:
    answer = requests.get(f"{url}/metrics", timeout=10)
    answer.raise_for_status()
    return numbers(answer.text)


def test_a_job_is_counted_where_it_is_made(site: Site) -> None:
    """The server counts it in, the worker its states and stages, also once its process has died."""
    (port,) = free_ports(1)
    settings = {**site.settings, "ANIMATION_WORKER_METRICS_PORT": str(port)}
    with worker(site.home / "counted", settings) as running:
        job_id = site.post(900, headers=ASYNC).json()["id"]
        assert site.job(job_id, wait_s=30)["state"] == "done"
        of = scrape(f"http://127.0.0.1:{port}")
        states = {state: of("animation_jobs_total", state=state) for state in ("queued", "running", "done")}
        assert states == {"queued": 0, "running": 1, "done": 1}
        assert all(of("animation_stage_duration_seconds_count", stage=stage) for stage in STAGES)
        assert of("animation_build_info", role="worker") == 1
        assert of("animation_dependency_up", dependency="redis") == 1

        (child,) = running.children()
        os.kill(child, signal.SIGKILL)
        wait_until(
            lambda: running.log.read_text().count("worker process ready") == 2,
            "worker",
            running.process,
            running.log,
            60,
        )
        of = scrape(f"http://127.0.0.1:{port}")
        assert of("animation_jobs_total", state="done") == 1
        assert of("animation_processes_started_total") == 2
        assert of("animation_build_info", role="worker") == 1
        assert of("process_resident_memory_bytes", pid=str(child)) is None
    server = scrape(site.server.url)
    assert server("animation_jobs_total", state="queued") == 1
    assert server("animation_jobs_waiting") == 0
