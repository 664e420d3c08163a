"""Logs as JSON lines."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest

from animation_server.logs import JsonFormatter, logging_config


def formatted(**more: object) -> dict[str, object]:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "said %s", ("it",), None)
    vars(record).update(more)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_a_record_is_one_json_line() -> None:
    """Time, level, logger, message, and whatever came in `extra`, printable or not."""
    line = formatted(request_id="r\n1", thing=object)
    assert (line["level"], line["logger"], line["message"]) == ("info", "name", "said it")
    assert line["request_id"] == "r\n1"
    assert set(line) == {"time", "level", "logger", "message", "request_id", "thing"}


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
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == [
        "ours",
        "theirs",
    ]
