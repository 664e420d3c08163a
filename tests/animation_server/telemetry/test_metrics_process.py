"""The numbers of a server of several processes, and what a request leaves in the logs of all parts."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from animation_server.telemetry.observer import STAGES
from tests.drawings import DRAWING
from tests.expositions import Numbers, numbers
from tests.fake_torchserve import FakeTorchServe
from tests.parts.server import Server, animation_server

pytestmark = pytest.mark.slow

WORKERS = 2
MAX_QUEUE = 5


@pytest.fixture(scope="module", name="server")
def _server(models: FakeTorchServe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "ANIMATION_WORKERS": str(WORKERS),
        "ANIMATION_MAX_QUEUE": str(MAX_QUEUE),
        **models.settings,
    }
    with animation_server(tmp_path_factory.mktemp("metrics"), settings) as server:
        eventually(lambda: len(pids(server)) == WORKERS)
        yield server


def scrape(server: Server) -> str:
    # Without keeping alive, any of the workers may take it.
    answer = requests.get(f"{server.url}/metrics", headers={"Connection": "close"}, timeout=10)
    answer.raise_for_status()
    return answer.text


def pids(server: Server) -> set[int]:
    families = text_string_to_metric_families(scrape(server))
    return {
        int(sample.labels["pid"])
        for family in families
        if family.name == "process_resident_memory_bytes"
        for sample in family.samples
    }


def eventually(outcome: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not outcome():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def post(server: Server, request_id: str) -> requests.Response:
    return requests.post(
        f"{server.url}/v1/animations",
        files={"image": DRAWING},
        data={"motions": "dab", "size": "64"},
        headers={"X-Request-ID": request_id, "Connection": "close"},
        timeout=60,
    )


def made(of: Numbers) -> tuple[float | None, ...]:
    return tuple(of("animation_delivered_total", source=source) for source in ("rendered", "stored"))


def test_any_process_tells_the_numbers_of_all(server: Server, models: FakeTorchServe) -> None:
    """Sums over workers; every stage was timed; what a worker that was killed had done stays counted."""
    assert [post(server, f"m-{number}").status_code for number in range(4)] == [200] * 4
    scrapes = [numbers(scrape(server)) for _ in range(6)]
    for of in scrapes:
        assert made(of) == (1, 3)
        assert of("animation_requests_total", route="/v1/animations", status="200") == 4
        assert of("animation_queue_capacity") == WORKERS * MAX_QUEUE
        assert (of("animation_queue_depth"), of("animation_processes_started_total")) == (0, WORKERS)
        for stage in STAGES:
            assert of("animation_stage_duration_seconds_count", stage=stage), stage
        assert of("animation_annotated_total", outcome="figure") == 1
        assert of("animation_dependency_up", dependency="torchserve") == 1

    (victim, survivor) = sorted(pids(server))
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(pids(server) - {victim}) == WORKERS and victim not in pids(server))
    of = numbers(scrape(server))
    assert made(of) == (1, 3)
    assert survivor in pids(server)
    assert of("animation_queue_capacity") == WORKERS * MAX_QUEUE
    assert of("animation_processes_started_total") == WORKERS + 1
    assert of("animation_requests_in_flight") == 1


def test_a_request_is_found_by_its_id(server: Server, models: FakeTorchServe) -> None:
    """One id, on the log line of the request and of what went wrong beneath, and told to TorchServe."""
    # enough for a process that warms up meanwhile, too
    models.behaviours = ["500"] * 5
    answer = requests.post(
        f"{server.url}/v1/animations",
        files={"image": DRAWING},
        data={"motions": "dab", "size": "80"},
        headers={"X-Request-ID": "find-me"},
        timeout=60,
    )
    models.behaviours = []
    assert answer.status_code == 503
    assert "find-me" in models.request_ids
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    ours = {line["event"]: line for line in lines if line.get("request_id") == "find-me"}
    assert set(ours) == {"dependency failed", "request"}
    request = ours["request"]
    assert (request["route"], request["status"], request["error"]) == (
        "/v1/animations",
        503,
        "inference_unavailable",
    )
    of = numbers(scrape(server))
    assert of("animation_errors_total", code="inference_unavailable") == 1
    assert of("animation_dependency_failures_total", dependency="torchserve") == 1


def test_stopping_leaves_no_numbers_behind(tmp_path: Path) -> None:
    """The directory that the processes share goes with the server."""
    with animation_server(tmp_path, {}, ready="/healthz") as server:
        (worker,) = pids(server)
        mapped = Path(f"/proc/{worker}/maps").read_text().split()
        (directory,) = {Path(place).parent for place in mapped if "/animation-metrics-" in place}
        assert directory.is_dir()
    assert not directory.exists()
