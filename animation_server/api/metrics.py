"""`GET /metrics`: the service in numbers, and the hooks that count its answers.

`GET /metrics/torchserve` passes on what TorchServe counts, which listens on the loopback interface alone.
"""

from __future__ import annotations

import time
from contextlib import suppress

from flask import Flask, Response, g, request

from animation_server.api.describe import Answer, Media, describe
from animation_server.api.request_log import noted
from animation_server.errors import JobsUnavailableError
from animation_server.inference.torchserve_http import CHECK_TIMEOUT_S, HttpPeer
from animation_server.jobs.engine import JobEngine
from animation_server.telemetry.metrics import CONTENT_TYPE, Metrics

NO_ROUTE = "none"
"""The route of requests that match none."""


def register_metrics(
    app: Flask, metrics: Metrics, jobs: JobEngine | None = None, torchserve: HttpPeer | None = None
) -> None:
    """Count and time every answer of an app, and serve the numbers.

    jobs : asked at every scrape how many wait. torchserve : TorchServe's metrics address.
    Either is None where there is none.
    """

    @app.before_request
    def begin() -> None:
        g.metrics_started = time.perf_counter()
        metrics.request_began()

    @app.after_request
    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else NO_ROUTE
        seconds = time.perf_counter() - g.metrics_started
        metrics.answered(request.method, route, response.status_code, seconds)
        if code := noted("error"):
            metrics.erred(str(code))
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if "metrics_started" in g:
            metrics.request_ended()

    @app.get("/metrics")
    @describe("service", answers={200: Answer({"text/plain": Media({"type": "string"})}, "The numbers.")})
    def get_metrics() -> Response:
        """Answer with the numbers of all processes in Prometheus' text format."""
        if jobs is not None:
            with suppress(JobsUnavailableError):  # that Redis is down is told by other numbers
                metrics.jobs_wait(jobs.waiting())
        return Response(metrics.exposition(), content_type=CONTENT_TYPE)

    if torchserve is not None:

        @app.get("/metrics/torchserve")
        @describe(
            "service",
            answers={200: Answer({"text/plain": Media({"type": "string"})}, "The numbers.")},
            errors=(503, 504),
        )
        def get_torchserve_metrics() -> Response:
            """Answer with TorchServe's numbers; 503 or 504 where it does not tell them."""
            text = torchserve.exchange("GET", "/metrics", CHECK_TIMEOUT_S)
            return Response(text, content_type=CONTENT_TYPE)
