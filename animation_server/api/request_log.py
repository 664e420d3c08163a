"""Request ids in and out, and one log line a request. No image data, no keys, no query strings."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, has_request_context, request

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id() -> str:
    """Return the current request's id, empty outside of one."""
    return str(g.get("request_id", "")) if has_request_context() else ""


def note(**fields: object) -> None:
    """Add fields to the current request's log line."""
    g.setdefault("log_fields", {}).update(fields)


def register_request_log(app: Flask) -> None:
    """Give every request an id, the caller's own where it is fit for a log, and log its answer."""

    @app.before_request
    def begin() -> None:
        came = request.headers.get(HEADER, "")
        g.request_id = came if _FIT.fullmatch(came) else uuid.uuid4().hex
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        # The rule and not the path: paths hold keys.
        rule = request.url_rule.rule if request.url_rule else None
        # Probes come every few seconds and say nothing while they succeed.
        level = (
            logging.DEBUG if rule in ("/healthz", "/readyz") and response.status_code < 400 else logging.INFO
        )
        fields = {
            "request_id": request_id(),
            "method": request.method,
            "route": rule,
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.started) * 1000, 1),
            "bytes_in": request.content_length,
            **g.get("log_fields", {}),
        }
        log.log(level, "request", extra=fields)
        return response
