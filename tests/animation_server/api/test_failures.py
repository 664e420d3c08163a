"""What clients are told when something fails that is not theirs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from flask import Response

from animation_server.errors import InferenceTimeoutError, InferenceUnavailableError, StorageError
from animation_server.settings import Settings
from animation_server.storage.local import LocalStore
from tests.app_client import Start, assert_error
from tests.fakes import CountingRenderer, FigureClient


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InferenceUnavailableError("http://10.0.0.1 refused"), 503, "inference_unavailable"),
        (InferenceTimeoutError("http://10.0.0.1 silent"), 504, "inference_timeout"),
    ],
)
def test_models_that_fail(start: Start, error: Exception, status: int, code: str) -> None:
    """503 or 504 with Retry-After and no inner address; the server recovers by itself."""
    server = start(models=FigureClient(error=error))
    response = server.post()
    assert "10.0.0.1" not in assert_error(response, status, code)
    assert int(response.headers["Retry-After"]) > 0
    assert server.stored() == []
    server.models.error = None
    assert server.post().status_code == 200


def test_storage_that_fails(start: Start, tmp_path: Path) -> None:
    """Storage that cannot be written is 503."""

    class FullStore(LocalStore):
        def put(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> None:
            raise StorageError("/inner/path: no space left")

    response = start(store=FullStore(tmp_path, "")).post()
    assert "/inner/path" not in assert_error(response, 503, "storage_failed")
    assert "Retry-After" in response.headers


def test_bugs_are_logged_and_not_echoed(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception answers 500 without its text; the log has it, with the request's id."""
    renderer = CountingRenderer()

    def fail() -> None:
        raise RuntimeError("inner secret")

    renderer.before_render = fail
    response = start(renderer=renderer).post()
    assert "secret" not in response.text
    assert_error(response, 500, "internal_error")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.request_id == response.headers["X-Request-ID"]  # type: ignore[attr-defined]


def test_bugs_beside_the_views_are_logged_without_the_path(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Flask's own line would hold it, and ids in paths are rights."""
    server = start()

    @server.app.after_request
    def fail(_: Response) -> Response:
        raise RuntimeError("in a hook")

    assert server.http.get("/v1/characters/" + "ab" * 16).status_code == 500
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[0].exc_info is not None
    assert not any("abab" in record.getMessage() for record in errors)


def test_work_past_its_deadline_is_not_begun(start: Start) -> None:
    """A request that waited too long is 504, and renders nothing."""
    server = start(Settings(request_deadline_s=0))
    assert_error(server.post(), 504, "deadline_exceeded")
    assert server.models.calls == []
