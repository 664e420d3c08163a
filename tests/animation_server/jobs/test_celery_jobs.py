"""Jobs as in production: gunicorn, Redis and Celery workers, each a process that may be killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.parts import redis as redis_part
from tests.parts.redis import redis_server
from tests.parts.server import Server, animation_server
from tests.parts.site import ASYNC, Site
from tests.parts.stand import metric
from tests.parts.worker import Worker, worker

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(redis_part.MISSING), reason=redis_part.MISSING)]


@pytest.fixture(scope="class")
def hands(site: Site) -> Iterator[Worker]:
    """A worker of one process."""
    with worker(site.home / "worker", site.settings) as started:
        yield started


def events(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read server-sent events as they come."""
    name = ""
    for line in answer.iter_lines(decode_unicode=True):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_streams_hold_no_thread(site: Site) -> None:
    """Many clients follow a job that nobody works on; the server answers all of them and others."""
    job_id = site.post(2, ASYNC).json()["id"]
    url = f"{site.server.url}/v1/jobs/{job_id}"
    answers = [requests.get(f"{url}/events", stream=True, timeout=10) for _ in range(40)]
    streams = [events(answer) for answer in answers]
    try:
        assert {next(stream)[0] for stream in streams} == {"queued"}
        assert requests.get(f"{site.server.url}/healthz", timeout=5).ok
        assert requests.post(f"{url}/cancel", timeout=5).json()["state"] == "cancelled"
        assert {tuple(name for name, _ in stream) for stream in streams} == {("cancelled",)}
    finally:
        for answer in answers:
            answer.close()
    site.settle()


class TestOneWorker:
    """One worker of one process at hand."""

    def test_follows_a_job_to_its_animations(self, site: Site, hands: Worker) -> None:
        """Events come while the job runs, its progress only grows, the last event holds links that answer."""
        with site.post(1, {"Accept": "text/event-stream"}, size=1000, stream=True) as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            came = list(events(answer))
        states = [name for name, _ in came]
        assert states[0] in ("queued", "running")
        assert states[-1] == "done", came[-1]
        progress = [job["progress"] for _, job in came]
        assert progress == sorted(progress)
        assert any(0 < share < 1 for share in progress), came
        assert answer.headers["Location"] == f"/v1/jobs/{came[0][1]['id']}"
        links = came[-1][1]["result"]["animations"]
        assert set(links) == {"dab", "jumping"}
        for link in links.values():
            assert requests.get(link, timeout=5).content[:6] == b"GIF89a"
        site.settle()

    def test_cancels_what_is_under_way(self, site: Site, hands: Worker) -> None:
        """A running job stops soon after it is cancelled and leaves nothing; the next one has its turn."""
        before = site.stored()
        site.torchserve.behaviours = ["slow"]
        job_id = site.post(3, ASYNC).json()["id"]
        site.begun(job_id)
        cancelled = requests.post(f"{site.server.url}/v1/jobs/{job_id}/cancel", timeout=5)
        assert cancelled.json()["state"] == "cancelled"
        assert site.job(site.post(4, ASYNC).json()["id"], wait_s=30)["state"] == "done"
        site.settle()
        made = {name.split("/")[0] for name in set(site.stored()) - set(before)}
        assert len(made) == 1  # the second drawing's folder
        assert site.job(job_id)["state"] == "cancelled"

    def test_a_killed_process_loses_nothing(self, site: Site, hands: Worker) -> None:
        """SIGKILL to the process that renders: the job begins again, ends, and each motion is there once."""
        before = set(site.stored())
        site.torchserve.behaviours = ["slow"]
        job_id = site.post(5, ASYNC).json()["id"]
        site.begun(job_id)
        (child,) = hands.children()
        os.kill(child, signal.SIGKILL)
        assert site.job(job_id, wait_s=40)["state"] == "done"
        site.settle()
        made = [name.rpartition("/")[2] for name in set(site.stored()) - before]
        assert sorted(name.partition("-")[0] for name in made) == ["dab", "jumping"]
        assert hands.children() != [child]


def test_a_killed_worker_loses_nothing(site: Site) -> None:
    """SIGKILL to the whole worker, as when a machine dies: another takes the job up, and makes it once."""
    before = set(site.stored())
    site.torchserve.behaviours = ["slow"]
    with worker(site.home / "lost", site.settings) as lost:
        job_id = site.post(6, ASYNC).json()["id"]
        site.begun(job_id)
        os.killpg(lost.process.pid, signal.SIGKILL)
        lost.process.wait()
    assert site.job(job_id)["state"] == "running"
    with worker(site.home / "heir", site.settings):
        assert site.job(job_id, wait_s=50)["state"] == "done"
    site.settle()
    made = [name.rpartition("/")[2] for name in set(site.stored()) - before]
    assert sorted(name.partition("-")[0] for name in made) == ["dab", "jumping"]


def test_a_worker_told_to_stop_finishes_what_it_began(site: Site) -> None:
    """SIGTERM in the middle of a job: the job is done, the worker ends by itself with success."""
    site.torchserve.behaviours = ["slow"]
    with worker(site.home / "leaving", site.settings) as leaving:
        job_id = site.post(7, ASYNC).json()["id"]
        site.begun(job_id)
        leaving.process.send_signal(signal.SIGTERM)
        assert leaving.process.wait(30) == 0
    assert site.job(job_id)["state"] == "done"


def test_heals_when_redis_restarts(site: Site) -> None:
    """Without Redis jobs get 503 and Retry-After, all else is answered; what was accepted is done later."""
    with redis_server(site.home / "own-redis") as first:
        own = {**site.settings, "ANIMATION_REDIS_URL": first.url}
        port = int(first.url.rpartition(":")[2].partition("/")[0])
        with animation_server(site.home / "own-server", own) as server, worker(site.home / "own", own):
            own_site = Site(site.home, server, first, site.torchserve, own)
            assert own_site.post(8, {"Prefer": "wait=30"}).status_code == 200
            site.torchserve.behaviours = ["slow"]
            job_id = own_site.post(9, ASYNC).json()["id"]
            with ThreadPoolExecutor(1) as pool:
                followed = pool.submit(_follow, server, job_id)
                time.sleep(0.5)
                first.process.send_signal(signal.SIGKILL)
                first.process.wait()
                for answer in (
                    own_site.post(10, ASYNC),
                    requests.get(f"{server.url}/v1/jobs/{job_id}", timeout=30),
                ):
                    assert answer.status_code == 503, answer.text
                    assert answer.headers["Retry-After"]
                    assert answer.json()["error"]["code"] == "jobs_unavailable"
                assert metric(server, "errors_total", code="jobs_unavailable") == 2
                assert own_site.post(11).status_code == 200
                with redis_server(site.home / "own-redis", port):
                    assert own_site.job(job_id, wait_s=50)["state"] == "done"
                    assert followed.result()[-1] == "done"
                    assert own_site.post(12, {"Prefer": "wait=50"}).status_code == 200


def _follow(server: Server, job_id: str) -> list[str]:
    with requests.get(f"{server.url}/v1/jobs/{job_id}/events", stream=True, timeout=60) as answer:
        return [name for name, _ in events(answer)]
