"""Logs for machines: one JSON object a line, on stderr.

A line has `timestamp`, `level`, `logger` and `event`, the id of the request that it belongs to, and whatever
came in `extra`. Text of clients' stays inside JSON strings, where it breaks no line. Secrets are not logged
on purpose; those that libraries' messages carry in addresses are struck out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from animation_server.telemetry.request_context import REQUEST_ID

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_SIGNED = re.compile(r"((?:X-Amz-)?(?:Signature|Credential|Security-Token|AccessKeyId)=)[^&\s\"'\\]+")
_PASSWORD = re.compile(r"(\w://[^/\s:@\"]*:)[^@\s/\"]+@")


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; whatever came in `extra` becomes fields of the object."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(line, default=str))


def without_secrets(text: str) -> str:
    """Strike out the signatures of links, and passwords in addresses."""
    return _PASSWORD.sub(r"\1***@", _SIGNED.sub(r"\1***", text))


def logging_config(level: str) -> dict[str, Any]:
    """Describe for logging.config.dictConfig: everything of `level` and above to stderr as JSON lines.

    level : "debug", "info", "warning" or "error".
    """
    ours = {"handlers": ["stderr"], "level": level.upper()}
    quiet = {"level": "WARNING"}  # at debug these log requests and their signatures
    silent = {"level": "CRITICAL", "propagate": False}  # we write a line a request ourselves
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": sys.stderr}},
        "root": ours,
        "loggers": {
            # gunicorn hangs handlers of its own on it. At debug it logs paths, and ids in paths are rights.
            "gunicorn.error": {
                **ours,
                "propagate": False,
                "level": "INFO" if level == "debug" else level.upper(),
            },
            "gunicorn.access": silent,
            **dict.fromkeys(("botocore", "boto3", "urllib3", "s3transfer", "PIL", "numba"), quiet),
        },
    }
