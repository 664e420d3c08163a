"""Request ids in and out, and one log line a request. No image data, no keys, no query strings."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from animation_server.telemetry.request_context import REQUEST_ID, REQUEST_ID_HEADER

log = logging.getLogger(__name__)

_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")

_PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/metrics/torchserve"})
"""Asked every few seconds; their success says nothing."""


def request_id() -> str:
    """Return the current request's id, empty outside of one."""
    return REQUEST_ID.get()


def note(**fields: object) -> None:
    """Add fields to the current request's log line."""
    g.setdefault("log_fields", {}).update(fields)


def noted(field: str) -> object:
    """Return what was noted of the current request; None where nothing was."""
    return g.get("log_fields", {}).get(field)


def register_request_log(app: Flask) -> None:
    """Give every request an id, the caller's own where it is fit for a log, and log its answer."""

    @app.before_request
    def begin() -> None:
        came = request.headers.get(REQUEST_ID_HEADER, "")
        REQUEST_ID.set(came if _FIT.fullmatch(came) else uuid.uuid4().hex)
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = request_id()
        # The rule and not the path: paths hold keys.
        rule = request.url_rule.rule if request.url_rule else None
        level = logging.DEBUG if rule in _PROBES and response.status_code < 400 else logging.INFO
        fields = {
            "method": request.method,
            "route": rule,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - g.started) * 1000, 1),
            "bytes_in": request.content_length,
            **g.get("log_fields", {}),
        }
        log.log(level, "request", extra=fields)
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        REQUEST_ID.set("")
