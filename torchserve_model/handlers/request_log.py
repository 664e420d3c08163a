"""What model workers log: lines of JSON on the standard output, which TorchServe passes on as they are.

The lines look like the server's, so that one search for a request's id finds both sides.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# TorchServe's worker sets logging up: messages, bare, from level info on.
log = logging.getLogger(__name__)

_HEADER = "x-request-id"
_FIELD = "request_id"
"""Over gRPC the handlers are given no headers; there the id travels beside the image."""
_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(request: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Return the id that a request came with, empty where none came or it is not fit for a log."""
    came = next((value for name, value in headers.items() if name.lower() == _HEADER), None)
    if came is None:
        field = request.get(_FIELD, b"")
        came = bytes(field).decode("ascii", "replace") if isinstance(field, bytes | bytearray) else str(field)
    return came if _FIT.fullmatch(came) else ""


def log_answer(request: str, model: str, version: str, status: int, batch: int, seconds: float) -> None:
    """Log one answer. request : its id. batch : requests answered together. seconds : for all of them."""
    log_event(
        "info",
        "prediction",
        request_id=request,
        model=model,
        version=version,
        status=status,
        batch=batch,
        duration_ms=round(seconds * 1000, 1),
    )


def log_event(level: str, event: str, **values: str | float) -> None:
    """Log one line. level : as the line says it; TorchServe passes on every one."""
    line = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": __name__,
        "event": event,
        **values,
    }
    log.info("%s", json.dumps(line))
