"""When the server is full: who is turned away, and that it costs next to nothing."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from werkzeug.test import TestResponse

from animation_server.api import early_refusal
from animation_server.api.parts import parts_of
from animation_server.service import admission, production
from animation_server.service.admission import Deadline
from animation_server.settings import Settings
from tests.app_client import Server, Start, assert_error
from tests.drawings import DRAWING, TEXT_AS_PNG
from tests.fakes import CountingRenderer
from tests.parts.process import eventually


class WatchedBody(io.BytesIO):
    """Notes whether anyone reads it; `meanwhile` is called once when somebody does."""

    def __init__(self, content: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(content)
        self.was_read = False
        self._meanwhile = meanwhile

    def read(self, size: int | None = -1, /) -> bytes:
        self._note()
        return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        self._note()
        return super().readinto(buffer)

    def _note(self) -> None:
        if not self.was_read:
            self.was_read = True
            self._meanwhile()


@pytest.fixture(autouse=True)
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no uploads for which there is no place, but where a test wants some."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 0)
    monkeypatch.setattr(early_refusal, "LOOK_INTERVAL_S", 3600.0)


def full(server: Server) -> AbstractContextManager[None]:
    """Take a place for the length of the block."""
    return parts_of(server.app).service.admission.slot(Deadline.after(10))


def test_more_than_the_queue_takes_is_turned_away(start: Start) -> None:
    """Beyond the bound: 503 with Retry-After at once, and not a byte is read."""
    renderer = CountingRenderer()
    server = start(Settings(max_queue=1), renderer=renderer)
    began, may_end = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        may_end.wait(10)

    renderer.before_render = wait
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.post, motions="dab")
        assert began.wait(10)
        for path in ("/v1/animations", "/v1/characters", "/"):
            body = WatchedBody(DRAWING)
            turned_away = server.app.test_client().post(path, input_stream=body, content_type="image/png")
            assert_error(turned_away, 503, "busy")
            assert int(turned_away.headers["Retry-After"]) > 0
            assert not body.was_read
        may_end.set()
        assert first.result().status_code == 200
    assert server.post(motions="zombie").status_code == 200


def test_what_was_made_is_handed_out_without_a_place(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some uploads are read to look for such; finds pay for more. Of others the store is not asked."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 2)
    server = start(Settings(max_queue=1))
    known = server.post(motions="jumping").get_json()
    asked: list[str] = []
    exists = server.store.exists

    def noted(keys: Sequence[str], timeout_s: float | None = None) -> list[bool]:
        asked.extend(keys)
        return exists(keys, timeout_s)

    monkeypatch.setattr(server.store, "exists", noted)
    with full(server):
        assert_error(server.post(motions="dab"), 503, "busy")
        for _ in range(3):
            assert server.post(motions="jumping").get_json() == known
        assert len(asked) == 3
        assert_error(server.post(motions=["jumping", "dab"]), 503, "busy")
        assert_error(server.post(motions="dab"), 503, "busy")
        assert_error(server.post(motions="jumping"), 503, "busy")  # both looks were in vain
        assert len(asked) == 3
    assert server.post(motions="dab").status_code == 200


def test_what_is_in_the_making_is_waited_for_without_a_place(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks again, while its order is still in the queue, gets what is made for that."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 1)
    joined = threading.Event()
    renderer = CountingRenderer(before_render=lambda: joined.wait(10))
    server = start(Settings(max_queue=3), renderer=renderer)
    places = parts_of(server.app).service.admission
    again = WatchedBody(DRAWING, lambda: threading.Timer(0.2, joined.set).start())
    with ThreadPoolExecutor(3) as pool:
        for motion in ("jumping", "zombie"):
            pool.submit(server.post, motions=motion)
        assert eventually(lambda: not places._idle, 10)
        first = pool.submit(server.post, motions="dab")
        assert eventually(lambda: bool(places._waiting), 10)
        second = server.http.post("/v1/animations?motions=dab", input_stream=again, content_type="image/png")
        assert second.get_json() == first.result().get_json()
    assert len(renderer.rendered) == 3


def test_what_is_made_after_all_is_no_find(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place got free while the upload was read: that says nothing about what others may find."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 1)
    server = start(Settings(max_queue=1))
    rush = ExitStack()
    body = WatchedBody(DRAWING, rush.close)
    with rush:
        rush.enter_context(full(server))
        made = server.http.post("/v1/animations?motions=dab", input_stream=body, content_type="image/png")
        assert made.status_code == 200
        rush.enter_context(full(server))
        assert_error(server.post(motions="dab"), 503, "busy")


def test_a_look_comes_back_with_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after many in vain an upload is read every LOOK_INTERVAL_S, and one that makes a new find."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 1)
    server = start(Settings(max_queue=1))
    known = server.post(motions="jumping").get_json()
    with full(server):
        assert_error(server.post(motions="dab"), 503, "busy")
        assert_error(server.post(motions="jumping"), 503, "busy")
        monkeypatch.setattr(early_refusal, "LOOK_INTERVAL_S", 0.001)
        assert eventually(lambda: server.post(motions="jumping").get_json() == known, 10)


def test_only_the_latest_are_remembered(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many keys and no more are held in memory; what was asked for again counts as later."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 9)
    monkeypatch.setattr(production, "REMEMBERED_KEYS", 2)
    server = start(Settings(max_queue=1))
    for motion in ("jumping", "dab", "jumping", "zombie"):
        assert server.post(motions=motion).status_code == 200
    with full(server):
        assert server.post(motions="jumping").status_code == 200
        assert server.post(motions="zombie").status_code == 200
        assert_error(server.post(motions="dab"), 503, "busy")


def test_what_failed_is_not_remembered(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not there to be handed out, and any amount of it leaves what is there in memory."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 2)
    monkeypatch.setattr(production, "REMEMBERED_KEYS", 2)
    server = start(Settings(max_queue=1))
    known = server.post(motions="jumping").get_json()
    for number in range(5):
        assert_error(server.post(TEXT_AS_PNG + b"%d" % number, motions="dab"), 415, "unsupported_media_type")
    with full(server):
        assert server.post(motions="jumping").get_json() == known
        monkeypatch.setattr(server.store, "exists", lambda *_: pytest.fail("asked the store"))
        assert_error(server.post(TEXT_AS_PNG + b"4", motions="dab"), 503, "busy")


def test_a_new_character_is_never_looked_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another one every time: nothing of it can be there."""
    monkeypatch.setattr(early_refusal, "LOOKS_A_FIND", 1)
    server = start(Settings(max_queue=1))
    body = WatchedBody(DRAWING)
    with full(server):
        answer = server.http.post("/v1/characters", input_stream=body, content_type="image/png")
    assert_error(answer, 503, "busy")
    assert not body.was_read


def test_one_place_is_promised_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a rush, while an upload is read for which there is a place, others are refused unread."""
    monkeypatch.setattr(admission, "CLAIM_S", 3600.0)
    server = start(Settings(max_queue=1))
    client = server.app.test_client()

    def upload(body: io.BytesIO) -> TestResponse:
        return client.post("/v1/animations", input_stream=body, content_type="image/png")

    with full(server):
        assert_error(upload(WatchedBody(DRAWING)), 503, "busy")
    others = [WatchedBody(DRAWING), WatchedBody(DRAWING)]
    refusals: list[TestResponse] = []
    with ThreadPoolExecutor(1) as pool:
        first = upload(WatchedBody(DRAWING, lambda: refusals.extend(pool.map(upload, others))))
    for refusal in refusals:
        assert_error(refusal, 503, "busy")
    assert not any(body.was_read for body in others)
    assert first.status_code == 200
    assert upload(WatchedBody(DRAWING)).status_code == 200


def test_only_what_brings_an_image_now_is_refused(start: Start) -> None:
    """Not a preflight, whose refusal a page cannot read, nor a job; but what never becomes one."""
    server = start(Settings(max_queue=1, cors_origins=("https://app.example",)))
    later = {"Prefer": "respond-async"}

    def post(path: str) -> tuple[TestResponse, bool]:
        body = WatchedBody(DRAWING)
        client = server.app.test_client()
        return client.post(path, input_stream=body, content_type="image/png", headers=later), body.was_read

    with full(server):
        assert_error(server.post(), 503, "busy")
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
