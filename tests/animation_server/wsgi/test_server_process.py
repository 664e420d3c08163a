"""The server as it runs in production: gunicorn with a gevent worker, in a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO

import pytest
import requests
from PIL import Image

from tests.drawings import BLANK, DRAWING, TEXT_AS_PNG, drawing, png_header
from tests.fake_torchserve import FakeTorchServe
from tests.parts.server import Server, animation_server, post

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(models: FakeTorchServe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks a stand-in for TorchServe over the network and renders for real."""
    with animation_server(tmp_path_factory.mktemp("server"), settings(models)) as running:
        yield running


def settings(models: FakeTorchServe) -> dict[str, str]:
    return {
        **models.settings,
        "ANIMATION_TORCHSERVE_READ_TIMEOUT_S": "1",
        "ANIMATION_RENDER_THREADS": "2",
    }


def test_from_upload_to_gif(server: Server) -> None:
    """Three animations, each of which opens, animates and lasts as long as its motion."""
    answer = post(server, motions="dab,jumping,zombie", size="200")
    assert answer.status_code == 200, answer.text
    motions = {
        motion["name"]: motion
        for motion in requests.get(f"{server.url}/v1/motions", timeout=5).json()["motions"]
    }
    for name, url in answer.json()["animations"].items():
        got = requests.get(url, timeout=5)
        assert (got.status_code, got.headers["Content-Type"]) == (200, "image/gif")
        with Image.open(BytesIO(got.content)) as gif:
            assert gif.size == (200, 200)
            assert gif.n_frames > 10
            durations = []
            for frame in range(gif.n_frames):
                gif.seek(frame)
                durations.append(gif.info["duration"])
        assert sum(durations) == pytest.approx(motions[name]["duration_s"] * 1000, abs=10)


def test_stays_alive_while_it_renders(server: Server) -> None:
    """While every render thread is busy, /healthz keeps answering: CPU work has left the greenlets."""
    with ThreadPoolExecutor(3) as pool:
        renders = [pool.submit(post, server, drawing(number), size="500") for number in range(1, 4)]
        beats = 0
        with requests.Session() as session:
            while not all(render.done() for render in renders):
                beats += session.get(f"{server.url}/healthz", timeout=10).ok
                time.sleep(0.01)
    assert [render.result().status_code for render in renders] == [200, 200, 200]
    # Were a single render to hold the loop, the answers would come one a render.
    assert beats > 20


def test_equal_requests_are_worked_on_once(server: Server, models: FakeTorchServe) -> None:
    """Greenlets wait for each other as threads do: one of four asks the models, all get the same answer."""
    asked = len(models.requests)
    models.behaviours = ["half a second"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(server, drawing(40), motions="dab", size="64"), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert len(models.requests) - asked == 2


def test_bad_input_kills_no_worker(server: Server) -> None:
    """Every bad image in turn and at once; the same worker answers afterwards."""
    bad = [TEXT_AS_PNG, DRAWING[:500], png_header(30_000, 30_000), b"", BLANK]
    expected = [415, 422, 413, 400, 422]
    with ThreadPoolExecutor(5) as pool:
        assert [answer.status_code for answer in pool.map(lambda image: post(server, image), bad)] == expected
    assert post(server, motions="moonwalk").status_code == 422
    assert requests.post(server.url, data=b"[1]", timeout=5).status_code == 422
    assert post(server, drawing(10), motions="dab", size="64").status_code == 200
    assert "Traceback" not in server.log.read_text()
    assert server.log.read_text().count("Booting worker") == 1


def test_heals_when_torchserve_does(server: Server, models: FakeTorchServe) -> None:
    """Slow is 504, failing is 503, both with Retry-After; the next request works."""
    for behaviour, status in (("slow", 504), ("500", 503), ("rubbish", 503)):
        models.behaviours = [behaviour]
        answer = post(server, drawing(20), motions="dab", size="64")
        assert answer.status_code == status, answer.text
        assert int(answer.headers["Retry-After"]) > 0
    models.behaviours = ["hang up"]
    assert post(server, drawing(20), motions="dab", size="64").status_code == 200


def test_logs_are_json_lines(server: Server) -> None:
    """One object a request, with the id that came in."""
    requests.get(f"{server.url}/v1/motions", headers={"X-Request-ID": "find-me"}, timeout=5)
    lines = [line for line in server.log.read_text().splitlines() if "find-me" in line]
    (logged,) = (json.loads(line) for line in lines)
    assert (logged["method"], logged["route"], logged["status"]) == ("GET", "/v1/motions", 200)


def test_sigterm_finishes_what_was_accepted(
    models: FakeTorchServe, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A request that is being rendered when SIGTERM comes is answered; then the process ends with 0."""
    with animation_server(tmp_path_factory.mktemp("stopping"), settings(models)) as server:
        models.behaviours = ["half a second"]
        with ThreadPoolExecutor(1) as pool:
            asked = len(models.requests)
            answer: Future[requests.Response] = pool.submit(post, server, drawing(30), motions="dab")
            while len(models.requests) == asked:
                time.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            assert answer.result().status_code == 200
        assert server.process.wait(30) == 0
        assert "Traceback" not in server.log.read_text()


def test_a_client_that_leaves_breaks_nothing(server: Server) -> None:
    """A connection closed in the middle of an upload costs no worker."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /v1/animations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n")
        connection.sendall(b"Content-Length: 100000\r\n\r\n" + DRAWING[:100])
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
