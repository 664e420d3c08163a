"""Jobs over HTTP, in process, with stand-ins for models and renderer."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from werkzeug.test import TestResponse

from animation_server.errors import InferenceUnavailableError
from animation_server.settings import Settings
from tests.app_client import Server, Start, assert_error, path_of
from tests.drawings import BLANK, DRAWING
from tests.fakes import GIF, CountingRenderer, FigureClient

ASYNC = {"Prefer": "respond-async"}


@dataclass
class Gate:
    """Holds renders back until it is opened."""

    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.reached.set()
        assert self.opened.wait(10)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the end, whatever the test did."""
    gate = Gate()
    yield gate
    gate.opened.set()


def post(
    server: Server, headers: dict[str, str] | None = None, image: bytes = DRAWING, **fields: Any
) -> TestResponse:
    data = {"image": (io.BytesIO(image), "drawing.png"), **fields}
    return server.app.test_client().post("/v1/animations", data=data, headers=headers or {})


def job_of(server: Server, accepted: TestResponse, headers: dict[str, str] | None = None) -> TestResponse:
    assert accepted.status_code == 202, accepted.text
    return server.http.get(accepted.headers["Location"], headers=headers or {})


def done(server: Server, accepted: TestResponse) -> dict[str, Any]:
    """Wait for a job and return it."""
    answer = job_of(server, accepted, {"Prefer": "wait=10"})
    assert answer.status_code == 200
    return dict(answer.get_json())


def events(answer: TestResponse) -> list[tuple[str, dict[str, Any]]]:
    """Read the events of a stream that has ended."""
    blocks = [block.splitlines() for block in answer.text.split("\n\n")]
    parsed = [dict(line.split(": ", 1) for line in block) for block in blocks if block]
    return [(block["event"], json.loads(block["data"])) for block in parsed if "event" in block]


# Preferences


def test_answers_at_once_and_works_later(start: Start, gate: Gate) -> None:
    """202 with the job's place while the drawing is worked on; the job ends with links that answer."""
    server = start(renderer=CountingRenderer(before_render=gate))
    accepted = post(server, ASYNC, motions="dab,zombie")
    assert accepted.status_code == 202
    assert accepted.headers["Preference-Applied"] == "respond-async"
    assert accepted.headers["Location"] == f"/v1/jobs/{accepted.get_json()['id']}"
    assert accepted.headers["Cache-Control"] == "no-store"
    assert gate.reached.wait(10)
    running = job_of(server, accepted)
    assert running.get_json()["state"] == "running"
    assert running.headers["Retry-After"]
    gate.opened.set()
    job = done(server, accepted)
    assert (job["state"], job["progress"], job["stage"], job["error"]) == ("done", 1, None, None)
    assert set(job["result"]["animations"]) == {"dab", "zombie"}
    for url in job["result"]["animations"].values():
        with server.http.get(path_of(url)) as got:
            assert got.data == GIF


def test_a_job_comes_to_what_an_answer_would(server: Server) -> None:
    """The same id and the same addresses, however the request is answered; nothing is made twice."""
    job = done(server, post(server, ASYNC))
    assert job["result"] == post(server).get_json()
    waited = post(server, {"Prefer": "wait=10"})
    assert (waited.status_code, waited.get_json()) == (200, job["result"])
    assert len(server.renderer.rendered) == 3


def test_animates_characters_as_well(server: Server) -> None:
    """A character that is kept can be animated by a job; one that is not there fails as it would at once."""
    made = server.http.post("/v1/characters", data={"image": (io.BytesIO(DRAWING), "drawing.png")})
    url = f"/v1/characters/{made.get_json()['id']}/animations"
    job = done(server, server.http.post(url, json={"motions": ["dab"]}, headers=ASYNC))
    assert job["result"] == server.http.post(url, json={"motions": ["dab"]}).get_json()
    nowhere = f"/v1/characters/{'0' * 32}/animations"
    plain = server.http.post(nowhere)
    failed = done(server, server.http.post(nowhere, headers=ASYNC))
    assert failed["error"]["status"] == plain.status_code == 404
    assert failed["error"]["code"] == plain.get_json()["error"]["code"]


def test_waits_as_long_as_preferred(start: Start, gate: Gate) -> None:
    """Done in time: the result. Not done: the job, to be looked at later."""
    server = start(renderer=CountingRenderer(before_render=gate))
    late = post(server, {"Prefer": "wait=0"})
    assert late.status_code == 202
    assert late.headers["Preference-Applied"] == "wait=0"
    assert post(server, {"Prefer": "respond-async, wait=0"}).status_code == 202
    gate.opened.set()
    in_time = post(server, {"Prefer": "respond-async, wait=10"})
    assert in_time.status_code == 200
    assert in_time.headers["Preference-Applied"] == "respond-async, wait=10"
    assert set(in_time.get_json()["animations"]) == {"dab", "jumping", "zombie"}


def test_no_preference_no_job(server: Server) -> None:
    """Without a preference that is understood the answer is the plain one."""
    answer = post(server, {"Prefer": "handling=lenient"})
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(
    ("image", "status", "code"), [(BLANK, 422, "no_figure"), (b"no image", 415, "unsupported_media_type")]
)
def test_failures_are_those_of_a_plain_answer(server: Server, image: bytes, status: int, code: str) -> None:
    """Who waits gets the error itself; who looks later finds it in the job."""
    message = assert_error(post(server, image=image), status, code)
    assert assert_error(post(server, {"Prefer": "wait=10"}, image), status, code) == message
    job = done(server, post(server, ASYNC, image))
    assert (job["state"], job["result"]) == ("failed", None)
    assert job["error"] == {"code": code, "message": message, "status": status}


def test_mistakes_are_told_before_there_is_a_job(server: Server) -> None:
    """What can be seen at once is no job's failure."""
    assert_error(post(server, ASYNC, motions="moonwalk"), 422, "unknown_motion")
    assert_error(post(server, ASYNC, size="1"), 422, "invalid_request")
    assert_error(post(server, ASYNC, image=b""), 400, "empty_image")


def test_too_many_jobs_are_turned_away(start: Start, gate: Gate) -> None:
    """Beyond the limit: 503, to come again later."""
    settings = Settings(render_threads=1, max_queue=1)
    server = start(settings, renderer=CountingRenderer(before_render=gate))
    answers = [post(server, ASYNC, motions="dab", size=str(100 + n)) for n in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert_error(answers[2], 503, "busy")
    assert answers[2].headers["Retry-After"]


# Events


def test_streams_what_happens(server: Server) -> None:
    """Events from the first to the last; the last has the result. Who has seen it is told to stay away."""
    answer = post(server, {"Accept": "text/event-stream"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    came = events(answer)
    assert came[-1][0] == came[-1][1]["state"] == "done"
    assert set(came[-1][1]["result"]["animations"]) == {"dab", "jumping", "zombie"}
    stream = f"{answer.headers['Location']}/events"
    again = server.http.get(stream)
    assert events(again) == came[-1:]
    last_id = next(line for line in again.text.splitlines() if line.startswith("id: ")).removeprefix("id: ")
    assert server.http.get(stream, headers={"Last-Event-ID": last_id}).status_code == 204
    assert events(server.http.get(stream, headers={"Last-Event-ID": "running-0.5"})) == came[-1:]


def test_json_unless_events_are_asked_for(server: Server) -> None:
    """Clients that take anything, as most do, get JSON."""
    for accept in ("*/*", "application/json", "application/json, text/event-stream;q=0.5"):
        assert post(server, {"Accept": accept}).mimetype == "application/json"


# Cancelling and forgetting


def test_cancels(start: Start, gate: Gate) -> None:
    """A cancelled job is cancelled for good, and for whoever waits for it; a finished one stays finished."""
    server = start(renderer=CountingRenderer(before_render=gate))
    accepted = post(server, ASYNC)
    assert gate.reached.wait(10)
    cancelled = server.http.post(f"{accepted.headers['Location']}/cancel")
    assert (cancelled.status_code, cancelled.get_json()["state"]) == (200, "cancelled")
    gate.opened.set()
    finished = post(server, {"Prefer": "wait=10"})
    assert finished.status_code == 200
    assert job_of(server, accepted).get_json()["state"] == "cancelled"
    again = server.http.post(f"{finished.headers['Location']}/cancel")
    assert again.get_json()["state"] == "done"


def test_forgets(server: Server) -> None:
    """A deleted job is not there any more; what it has made is."""
    accepted = post(server, ASYNC)
    url = next(iter(done(server, accepted)["result"]["animations"].values()))
    assert server.http.delete(accepted.headers["Location"]).status_code == 204
    assert_error(job_of(server, accepted), 404, "unknown_job")
    with server.http.get(path_of(url)) as kept:
        assert kept.data == GIF


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "..%2f..", "a" * 500])
def test_unknown_jobs(server: Server, job_id: str) -> None:
    """Every call for a job that is not there answers 404."""
    for method, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")):
        answer = server.app.test_client().open(f"/v1/jobs/{job_id}{suffix}", method=method)
        assert answer.status_code == 404


# Idempotency keys


def test_a_request_sent_again_is_the_same_job(server: Server) -> None:
    """The same key and request: the same job, also when it has long been done."""
    headers = {**ASYNC, "Idempotency-Key": "abc"}
    first = post(server, headers, motions="dab")
    assert done(server, first)["state"] == "done"
    again = post(server, headers, motions="dab")
    assert again.get_json()["id"] == first.get_json()["id"]
    assert (
        post(server, {**ASYNC, "Idempotency-Key": "abd"}, motions="dab").get_json()["id"]
        != first.get_json()["id"]
    )
    waited = post(server, {"Prefer": "wait=10", "Idempotency-Key": "abc"}, motions="dab")
    assert waited.get_json() == done(server, first)["result"]


@pytest.mark.parametrize("headers", [{}, ASYNC, {"Prefer": "wait=5"}, {"Accept": "text/event-stream"}])
def test_a_key_with_another_request_is_refused(server: Server, headers: dict[str, str]) -> None:
    """However the first and the second are to be answered; the first can still be repeated."""
    key = {"Idempotency-Key": "abc"}
    assert post(server, key, motions="dab").status_code == 200
    assert_error(post(server, {**headers, **key}, motions="zombie"), 422, "idempotency_key_reused")
    assert_error(post(server, {**headers, **key}, image=BLANK, motions="dab"), 422, "idempotency_key_reused")
    assert post(server, {**headers, **key}, motions="dab").status_code in (200, 202)


def test_a_plain_answer_needs_no_redis(start: Start) -> None:
    """With a key or without: only what asks for a job is told that there can be none just now."""
    server = start(Settings(jobs="celery", redis_url=SecretStr("redis://127.0.0.1:1/0")))
    key = {"Idempotency-Key": "abc"}
    assert post(server, key).status_code == 200
    assert_error(post(server, {**ASYNC, **key}), 503, "jobs_unavailable")


def test_a_mistake_uses_up_no_key(server: Server) -> None:
    """Whoever corrects what can be seen to be wrong at once may keep the key."""
    made = server.http.post("/v1/characters", data={"image": (io.BytesIO(DRAWING), "drawing.png")})
    url = f"/v1/characters/{made.get_json()['id']}/animations"
    key = {"Idempotency-Key": "abc"}
    wrong = server.http.post(url, json={"motions": ["moonwalk"]}, headers=key)
    assert_error(wrong, 422, "unknown_motion")
    assert server.http.post(url, json={"motions": ["dab"]}, headers=key).status_code == 200


@pytest.mark.parametrize("key", ["a" * 256, "ä", "a b"])
def test_keys_that_are_none(server: Server, key: str) -> None:
    """What is no key is a mistake rather than no protection."""
    assert_error(post(server, {"Idempotency-Key": key}), 400, "bad_idempotency_key")


# Where there are no jobs


@pytest.mark.parametrize("settings", [Settings(jobs="off"), Settings(workers=2)])
def test_without_jobs_all_else_is_answered(start: Start, settings: Settings) -> None:
    """A preference may be passed over, and is; what needs a job says that there are none."""
    server = start(settings)
    answer = post(server, {**ASYNC, "Idempotency-Key": "a"})
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers
    assert_error(post(server, {"Accept": "text/event-stream"}), 501, "no_jobs")
    assert_error(server.http.get(f"/v1/jobs/{'0' * 32}"), 501, "no_jobs")


def test_a_dependency_that_comes_back_is_waited_for(start: Start) -> None:
    """A job whose models were away for a moment is done all the same; a plain answer would have been 503."""
    models = FigureClient(error=InferenceUnavailableError("down"))
    server = start(models=models)
    assert_error(post(server), 503, "inference_unavailable")
    accepted = post(server, ASYNC)
    while job_of(server, accepted).get_json()["state"] != "queued":
        pass
    models.error = None
    assert done(server, accepted)["state"] == "done"
