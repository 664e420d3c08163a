"""Logs as JSON lines."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest

from animation_server.telemetry.logs import JsonFormatter, logging_config
from animation_server.telemetry.request_context import REQUEST_ID


def formatted(**more: object) -> dict[str, object]:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "said %s", ("it",), None)
    vars(record).update(more)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_a_record_is_one_json_line() -> None:
    """Timestamp, level, logger, event, and whatever came in `extra`, printable or not."""
    line = formatted(request_id="r\n1", thing=object)
    assert (line["level"], line["logger"], line["event"]) == ("info", "name", "said it")
    assert line["request_id"] == "r\n1"
    assert set(line) == {"timestamp", "level", "logger", "event", "request_id", "thing"}


def test_lines_name_their_request() -> None:
    """What is logged on behalf of a request carries its id, unless the line says otherwise."""
    token = REQUEST_ID.set("r-1")
    try:
        assert formatted()["request_id"] == "r-1"
        assert formatted(request_id="r-2")["request_id"] == "r-2"
    finally:
        REQUEST_ID.reset(token)
    assert "request_id" not in formatted()


@pytest.mark.parametrize(
    ("text", "kept", "secret"),
    [
        ("GET /b/k?X-Amz-Signature=abcdef&X-Amz-Expires=60 failed", "X-Amz-Expires=60 failed", "abcdef"),
        ("no answer from redis://:hunter2@cache:6379/0", "@cache:6379/0", "hunter2"),
        ("no answer from redis://user:hunter2@cache", "redis://user:", "hunter2"),
    ],
)
def test_secrets_in_addresses_are_struck_out(text: str, kept: str, secret: str) -> None:
    """A library's message may hold a signed link or a password; the line does not, wherever it stands."""
    for line in (formatted(reason=text), formatted(msg=text, args=())):
        assert secret not in json.dumps(line)
        assert kept in json.dumps(line)


def test_exceptions_are_in_the_line() -> None:
    """A traceback does not break the line."""
    try:
        raise KeyError("lost")
    except KeyError:
        line = formatted(exc_info=sys.exc_info())
    assert "KeyError: 'lost'" in str(line["exception"])


def test_configuration_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and gunicorn's errors go to stderr as JSON, from the level on; its access log is ours to write."""
    names = [None, "gunicorn.error", "gunicorn.access"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    try:
        logging.config.dictConfig(logging_config("info"))
        logging.getLogger("animation_server.anything").info("ours")
        logging.getLogger("gunicorn.error").warning("theirs")
        logging.getLogger("gunicorn.access").info("GET /objects/secret")
        logging.getLogger("animation_server.anything").debug("nobody's")
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.level, logger.propagate = handlers, level, propagate
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == [
        "ours",
        "theirs",
    ]
