"""When the server is full: who is turned away, and that it costs next to nothing."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from animation_server.api import early_refusal
from animation_server.api.parts import parts_of
from animation_server.service import admission
from animation_server.service.admission import Deadline
from animation_server.settings import Settings
from tests.app_client import Start, assert_error
from tests.drawings import DRAWING
from tests.fakes import CountingRenderer


class WatchedBody(io.BytesIO):
    """Notes whether anyone reads it."""

    was_read = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.was_read = True
        return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        self.was_read = True
        return super().readinto(buffer)


def test_more_than_the_queue_takes_is_turned_away(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound: 503 with Retry-After at once. One that is stored already is still handed out.

    Such a one is looked for now and then; of the others not a byte is read.
    """
    monkeypatch.setattr(early_refusal, "LOOK_INTERVAL_S", 3600.0)
    renderer = CountingRenderer()
    server = start(Settings(max_queue=1), renderer=renderer)
    known = server.post(motions="jumping").get_json()
    began, may_end = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        may_end.wait(10)

    renderer.before_render = wait
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.post, motions="dab")
        assert began.wait(10)
        assert server.post(motions="jumping").get_json() == known
        for path in ("/v1/animations", "/v1/characters", "/"):
            body = WatchedBody(DRAWING)
            turned_away = server.app.test_client().post(path, input_stream=body, content_type="image/png")
            assert_error(turned_away, 503, "busy")
            assert int(turned_away.headers["Retry-After"]) > 0
            assert not body.was_read
        may_end.set()
        assert first.result().status_code == 200
    assert server.post(motions="zombie").status_code == 200


def test_one_place_is_promised_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a rush, while an upload is read for which there is a place, others are refused unread."""
    monkeypatch.setattr(early_refusal, "LOOK_INTERVAL_S", 3600.0)
    monkeypatch.setattr(admission, "CLAIM_S", 3600.0)
    app = start(Settings(max_queue=1)).app
    client = app.test_client()

    def upload(body: io.BytesIO) -> TestResponse:
        return client.post("/v1/animations", input_stream=body, content_type="image/png")

    with parts_of(app).service._production.admission.slot(Deadline.after(10)):
        assert_error(upload(WatchedBody(DRAWING)), 503, "busy")  # which took the one look there is in an hour
    others = [WatchedBody(DRAWING), WatchedBody(DRAWING)]
    refusals: list[TestResponse] = []

    class Interrupted(WatchedBody):
        """A body during whose reading other requests come."""

        def read(self, size: int | None = -1, /) -> bytes:
            if not refusals:
                refusals.extend(pool.map(upload, others))
            return super().read(size)

    with ThreadPoolExecutor(1) as pool:
        first = upload(Interrupted(DRAWING))
    for refusal in refusals:
        assert_error(refusal, 503, "busy")
    assert not any(body.was_read for body in others)
    assert first.status_code == 200
    assert upload(WatchedBody(DRAWING)).status_code == 200


def test_only_what_brings_an_image_now_is_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a preflight, whose refusal a page cannot read, nor a job; but what never becomes one."""
    monkeypatch.setattr(early_refusal, "LOOK_INTERVAL_S", 3600.0)
    server = start(Settings(max_queue=1, cors_origins=("https://app.example",)))
    later = {"Prefer": "respond-async"}

    def post(path: str) -> tuple[TestResponse, bool]:
        body = WatchedBody(DRAWING)
        client = server.app.test_client()
        return client.post(path, input_stream=body, content_type="image/png", headers=later), body.was_read

    with parts_of(server.app).service._production.admission.slot(Deadline.after(10)):
        assert_error(server.post(), 503, "busy")  # which took the one look there is in an hour
        preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        for path in ("/v1/animations", "/v1/characters", "/"):
            answer = server.http.options(path, headers=preflight)
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert post("/v1/animations")[0].status_code == 202
        for path in ("/v1/characters", "/"):
            refused, was_read = post(path)
            assert_error(refused, 503, "busy")
            assert not was_read
