"""The service in numbers: what Prometheus is told."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from flask import Flask, abort, g

from animation_server.api.errors import register_error_handlers
from animation_server.api.metrics import register_metrics
from animation_server.api.request_log import register_request_log
from animation_server.inference.torchserve_http import HttpPeer
from animation_server.telemetry.metrics import CONTENT_TYPE, Metrics
from animation_server.telemetry.observer import Call
from tests.expositions import Numbers, numbers


def after(*happenings: Callable[[Metrics], None]) -> Numbers:
    """The numbers after some happenings."""
    metrics = Metrics(queue_capacity=16)
    for happening in happenings:
        happening(metrics)
    return numbers(metrics.exposition().decode())


def test_work_is_timed_by_stage() -> None:
    """Every run of a stage counts once; stages that never ran are there, at zero."""
    of = after(lambda m: m.stage("draw", 0.04), lambda m: m.stage("draw", 0.03))
    name = "animation_stage_duration_seconds"
    assert of(f"{name}_count", stage="draw") == 2
    assert of(f"{name}_sum", stage="draw") == pytest.approx(0.07)
    assert of(f"{name}_bucket", stage="draw", le="0.035") == 1
    assert of(f"{name}_count", stage="store") == 0


def test_queue_shows_how_full_it_is() -> None:
    """Depth goes up and down; capacity stands beside it."""
    of = after(*[lambda m, change=change: m.queued(change) for change in (1, 1, -1)])
    assert (of("animation_queue_depth"), of("animation_queue_capacity")) == (1, 16)


def test_a_dependency_that_answers_again_is_counted() -> None:
    """Two failures in a row are one recovery; in between it is down; retries are counted."""
    down = [Call("s3", "put", 0.1, "storage_failed")] * 2
    up = Call("s3", "put", 0.1)
    broken, mended = Metrics(), Metrics()
    for call in down:
        broken.called(call)
    for call in (*down, up, up):
        mended.called(call)
    mended.retried("s3")
    broken_of, of = (numbers(metrics.exposition().decode()) for metrics in (broken, mended))
    assert (broken_of("animation_dependency_up", dependency="s3"), of("animation_dependency_up")) == (0, 1)
    assert not broken_of("animation_dependency_recoveries_total")
    assert of("animation_dependency_recoveries_total", dependency="s3") == 1
    assert of("animation_dependency_failures_total", operation="put", code="storage_failed") == 2
    assert of("animation_dependency_retries_total", dependency="s3") == 1
    assert of("animation_dependency_duration_seconds_count", dependency="s3", operation="put") == 4


def test_says_what_runs_and_in_which_process() -> None:
    """Versions as labels; memory and CPU of this process under its number."""
    of = after(lambda m: m.runs("server", "abcd"))
    assert of("animation_build_info", role="server", renderer="abcd") == 1
    assert (of("process_resident_memory_bytes", pid=str(os.getpid())) or 0) > 10_000_000


def test_apps_do_not_share_their_numbers() -> None:
    """Every app has a registry of its own, so that several may live in one process."""
    busy, idle = Metrics(1), Metrics(1)
    busy.delivered("rendered", 3)
    told = [numbers(m.exposition().decode())("animation_delivered_total") for m in (busy, idle)]
    assert told == [3, 0]


@pytest.fixture(name="app")
def _app() -> Flask:
    app = Flask(__name__)
    register_request_log(app)
    register_metrics(app, Metrics())

    @app.get("/things/<name>")
    def get_thing(name: str) -> Mapping[str, str]:
        if name == "lost":
            abort(404)
        if name == "broken":
            raise RuntimeError(name)
        g.log_fields = {"error": "no_figure"} if name == "odd" else {}
        return {}

    return app


def serving(text: str, status: int = 200) -> HTTPServer:
    """A server that answers every GET with a text, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    return HTTPServer(("127.0.0.1", 0), Handler)


@pytest.mark.parametrize(("status", "expected"), [(200, 200), (500, 503)])
def test_passes_on_what_torchserve_counts(status: int, expected: int) -> None:
    """As it is; where TorchServe fails the scrape fails, so that Prometheus knows."""
    app = Flask(__name__)
    register_request_log(app)
    with serving("ts_inference_requests_total 3\n", status) as server:
        Thread(target=server.handle_request, daemon=True).start()
        peer = HttpPeer(f"http://127.0.0.1:{server.server_port}", 1.0)
        register_metrics(app, Metrics(), torchserve=peer)
        register_error_handlers(app)
        response = app.test_client().get("/metrics/torchserve")
    assert response.status_code == expected
    assert (response.text == "ts_inference_requests_total 3\n") is (status == 200)


def scrape(app: Flask) -> Numbers:
    response = app.test_client().get("/metrics")
    assert response.headers["Content-Type"] == CONTENT_TYPE
    return numbers(response.text)


def test_answers_are_counted_by_route(app: Flask) -> None:
    """By rule and status, never by path; what matches no rule is one route; invented methods are one, too."""
    http = app.test_client()
    for path in ("/things/a", "/things/b", "/things/lost", "/things/broken", "/a/b/c", "/x"):
        http.get(path)
    http.open("/things/a", method="BREW")
    of = scrape(app)
    name, route = "animation_requests_total", "/things/<name>"
    assert of(name, method="GET", route=route, status="200") == 2
    assert of(name, method="GET", route=route, status="404") == 1
    assert of(name, method="GET", route=route, status="500") == 1
    assert of(name, route="none", status="404") == 2
    assert of(name, method="other", status="405") == 1
    assert of("animation_request_duration_seconds_count", route=route) == 4
    assert not any("/things/a" in line for line in app.test_client().get("/metrics").text.splitlines())


def test_errors_are_counted_by_code(app: Flask) -> None:
    """By the code that the client was told."""
    app.test_client().get("/things/odd")
    assert scrape(app)("animation_errors_total", code="no_figure") == 1


def test_what_is_under_way_is_only_the_scrape_itself(app: Flask) -> None:
    """Requests are let go of however they end."""
    for path in ("/things/a", "/things/lost", "/things/broken"):
        app.test_client().get(path)
    assert scrape(app)("animation_requests_in_flight") == 1


def test_scrapes_are_not_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """They come every few seconds and say nothing."""
    with caplog.at_level(logging.INFO):
        scrape(app)
    assert not [record for record in caplog.records if record.getMessage() == "request"]
