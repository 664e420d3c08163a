"""Every error has one shape: {"ok": false, "error": {"code", "message", "request_id"}}."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from animation_server.api.parts import current_parts
from animation_server.api.request_log import note, request_id
from animation_server.errors import AnimationError, CapacityError, DependencyError, InputError

log = logging.getLogger(__name__)

MOST_ECHOED = 80
"""Characters of a field's name that come back: it may be as long as the body."""


def error_response(code: str, message: str, status: int, **more: Any) -> Response:
    """Build the answer for an error; `more` adds fields beside "error"."""
    note(error=code)
    error = {"code": code, "message": message, "request_id": request_id()}
    response = jsonify({"ok": False, "error": error, **more})
    response.status_code = status
    return response


def invalid(exc: ValidationError) -> InputError:
    """Turn the first problem that pydantic found into an InputError with status 422."""
    problem = exc.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])[:MOST_ECHOED] or "the request"
    came = type(problem["input"]).__name__ if problem["type"].endswith("_type") else None
    message = f"{place}: {problem['msg']}" + (f", came {came}" if came else "")
    return InputError(message + ".", code="invalid_request", status=422)


def register_error_handlers(app: Flask) -> None:
    """Answer every exception that leaves a view in the one shape."""
    app.register_error_handler(AnimationError, _on_animation_error)
    app.register_error_handler(HTTPException, _on_http_exception)
    app.register_error_handler(Exception, _on_bug)


def _on_animation_error(exc: AnimationError) -> Response:
    message = str(exc)
    if isinstance(exc, DependencyError):
        log.warning("dependency failed", extra={"code": exc.code, "reason": message})
        message = exc.public_message
    response = error_response(exc.code, message, exc.status)
    if isinstance(exc, CapacityError | DependencyError):
        response.headers["Retry-After"] = str(exc.retry_after_s)
    return response


def _on_http_exception(exc: HTTPException) -> Response:
    if isinstance(exc, RequestEntityTooLarge):
        return error_response("too_large", _too_large(), 413)
    code = exc.name.lower().replace(" ", "_")
    response = error_response(code, exc.description or exc.name, exc.code or 500)
    for name, value in exc.get_headers():
        if name not in ("Content-Type", "Content-Length"):  # Allow, Retry-After and their like
            response.headers.add(name, value)
    return response


def _too_large() -> str:
    if 0 < (request.content_length or 0) <= (request.max_content_length or 0):
        return (
            f"Expected at most {request.max_form_memory_size} bytes of fields beside the image, came more. "
            "Send `image` as a file, with a file name."
        )
    limit = current_parts().settings.max_image_bytes
    return f"Expected an image of at most {limit} bytes, came a larger request. Send a smaller one."


def _on_bug(exc: Exception) -> Response:
    log.error("unexpected exception", exc_info=exc, extra={"request_id": request_id()})
    return error_response("internal_error", "Something went wrong in the server.", 500)
