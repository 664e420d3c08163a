"""The HTTP API, with the real pipeline, stand-ins for models and renderer, and a real local store."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from animation_server.animate import AnimationOptions
from animation_server.api import early_refusal
from animation_server.api.parts import parts_of
from animation_server.errors import (
    InferenceTimeoutError,
    InferenceUnavailableError,
    SettingsError,
    StorageError,
)
from animation_server.service import admission
from animation_server.service.admission import Deadline
from animation_server.settings import Settings
from animation_server.storage.local import LocalStore
from tests.app_client import Server, Start, assert_error, path_of
from tests.drawings import BLANK, DRAWING, TEXT_AS_PNG, png, png_header
from tests.fakes import GIF, CountingRenderer, FigureClient
from tests.figures import draw_figure

# What is asked for


def test_animates_a_multipart_upload(server: Server) -> None:
    """Each motion gets an address, which answers with the animation, to be cached for good."""
    response = server.post(motions="dab,zombie")
    assert response.status_code == 200
    body = response.get_json()
    assert set(body) == {"id", "animations"}
    assert set(body["animations"]) == {"dab", "zombie"}
    for url in body["animations"].values():
        assert url.startswith("http://127.0.0.1:8000/objects/")
        with server.http.get(path_of(url)) as answer:
            assert (answer.status_code, answer.data, answer.mimetype) == (200, GIF, "image/gif")
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_animates_a_raw_body(server: Server) -> None:
    """The image may be the body itself, the options query arguments; the addresses are the same."""
    response = server.http.post("/v1/animations?motions=dab&size=300", data=DRAWING, content_type="image/png")
    assert response.get_json() == server.post(motions="dab", size="300").get_json()


def test_defaults_come_from_the_settings(start: Start) -> None:
    """Without fields, the operator's motions, size and frames are used."""
    server = start(Settings(motions=("jumping",), size=222, frames=33))
    assert set(server.post().get_json()["animations"]) == {"jumping"}
    assert server.renderer.rendered == [("jumping", AnimationOptions((222, 222), max_frames=33))]


def test_default_motions_must_exist(start: Start) -> None:
    """A motion misspelt in the settings stops the start."""
    with pytest.raises(SettingsError, match=r"ANIMATION_MOTIONS.*came moonwalk"):
        start(Settings(motions=("dab", "moonwalk")))


def test_options_reach_the_renderer(server: Server) -> None:
    """Size and frames of the request go before the settings'; motions may be repeated fields."""
    response = server.post(
        motions=["dab", "jumping,dab"], size="128x96", frames="20", format="webp", background="#ff8000"
    )
    assert list(response.get_json()["animations"]) == ["dab", "jumping"]
    look = AnimationOptions((128, 96), "webp", frames=20, background=(255, 128, 0))
    assert sorted(server.renderer.rendered, key=str) == [("dab", look), ("jumping", look)]
    assert response.get_json()["animations"]["dab"].endswith(".webp")


def test_the_look_can_be_chosen(server: Server) -> None:
    """Format, speed, rate, repetition and the sheet as background; each has an address of its own."""
    looks: list[tuple[dict[str, str], AnimationOptions]] = [
        ({"format": "mp4"}, AnimationOptions(format="mp4", max_frames=150)),
        ({"background": "sheet"}, AnimationOptions(background="sheet", max_frames=150)),
        ({"speed": "2"}, AnimationOptions(speed=2.0, max_frames=150)),
        ({"fps": "12"}, AnimationOptions(max_fps=12.0, max_frames=150)),
        ({"loop": "false"}, AnimationOptions(loop=False, max_frames=150)),
        ({"background": "transparent"}, AnimationOptions(max_frames=150)),
    ]
    urls = [server.post(motions="dab", **fields).get_json()["animations"]["dab"] for fields, _ in looks]
    assert [look for _, look in server.renderer.rendered] == [look for _, look in looks]
    assert len(set(urls)) == len(urls)
    assert urls[0].endswith(".mp4")


@pytest.mark.parametrize(
    "fields",
    [
        {"speed": "0"},
        {"speed": "fast"},
        {"fps": "99"},
        {"loop": "often"},
        {"background": "#12"},
        {"format": "avi"},
    ],
)
def test_looks_that_there_are_not(server: Server, fields: dict[str, str]) -> None:
    """Refused with the name of the field."""
    response = server.post(motions="dab", **fields)
    assert response.status_code == 422
    assert next(iter(fields)) in response.get_json()["error"]["message"]


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes, base64.urlsafe_b64encode])
def test_original_mobile_contract(server: Server, head: str, encode: Callable[[bytes], bytes]) -> None:
    """JSON with base64 in, three addresses out; whatever the phone's encoder does to the base64."""
    response = server.http.post("/", json={"file": head + encode(DRAWING).decode().rstrip("=\n")})
    assert response.status_code == 200, response.text
    assert set(response.get_json()) == {"dab", "jumping", "zombie"}
    assert response.get_json() == server.post().get_json()["animations"]


def test_lists_motions(server: Server) -> None:
    """Names, frames and seconds of what can be asked for, and where it is shown."""
    motions = server.http.get("/v1/motions").get_json()["motions"]
    preview_url = "http://127.0.0.1:8000/v1/motions/dab/preview"
    assert {"name": "dab", "frames": 60, "duration_s": 2.0, "preview_url": preview_url} in motions
    assert len(motions) == 3


def test_shows_motions(server: Server) -> None:
    """A preview is made when it is first asked for, without the models, and then it is there."""
    for _ in range(2):
        response = server.http.get("/v1/motions/dab/preview")
        assert (response.status_code, len(server.renderer.rendered)) == (302, 1)
    with server.http.get(path_of(response.location)) as answer:
        assert (answer.status_code, answer.data) == (200, GIF)
    assert server.models.calls == []
    assert_error(server.http.get("/v1/motions/moonwalk/preview"), 404, "not_found")


@pytest.mark.parametrize("path", ["/v1/motions", "/openapi.json"])
def test_what_is_known_is_not_sent_again(server: Server, path: str) -> None:
    """With the ETag that came, the answer is 304 without a body; with another one it is all there."""
    etag = server.http.get(path).headers["ETag"]
    known = server.http.get(path, headers={"If-None-Match": etag})
    assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", etag)
    assert server.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_animations_that_are_known_are_not_sent_again(server: Server) -> None:
    """Files have ETags, too, and are sent in parts to players that ask for parts."""
    path = path_of(server.post(motions="dab").get_json()["animations"]["dab"])
    with server.http.get(path) as whole:
        etag = whole.headers["ETag"]
    with server.http.get(path, headers={"If-None-Match": etag}) as known:
        assert (known.status_code, known.data) == (304, b"")
    with server.http.get(path, headers={"Range": "bytes=0-5"}) as part:
        assert (part.status_code, part.data) == (206, GIF[:6])


def test_links_do_not_name_what_deletes(server: Server) -> None:
    """Whoever is passed a link cannot tell the id, which is the right to delete."""
    body = server.post(motions="dab").get_json()
    assert body["id"] not in body["animations"]["dab"]


def test_answers_other_origins_as_configured(start: Start) -> None:
    """Pages of configured origins may call, ask beforehand, and read the headers; others may not."""
    http = start(Settings(cors_origins=("https://app.example.com",))).http
    ours, theirs = {"Origin": "https://app.example.com"}, {"Origin": "https://evil.example.com"}
    answer = http.get("/v1/motions", headers=ours)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    asks = ours | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "prefer"}
    preflight = http.options("/v1/animations", headers=asks)
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "prefer"
    assert "Access-Control-Allow-Origin" not in http.get("/v1/motions", headers=theirs).headers
    assert "Access-Control-Allow-Origin" not in start().http.get("/v1/motions", headers=ours).headers


@pytest.mark.parametrize("origin", ["app.example.com", "https://*.example.com", "https://a.example/path"])
def test_origins_must_be_origins(start: Start, origin: str) -> None:
    """A pattern or an address that is no origin stops the start."""
    with pytest.raises(SettingsError, match="ANIMATION_CORS_ORIGINS"):
        start(Settings(cors_origins=(origin,)))


def test_annotates_once_for_all_motions(server: Server) -> None:
    """The models are asked once however many motions there are."""
    server.post(motions="dab,jumping,zombie")
    assert server.models.calls == ["detect", "estimate_pose"]
    assert server.renderer.prepared == 1


def test_the_same_request_is_rendered_once(server: Server) -> None:
    """Asked again, it has the same addresses and costs nothing; a new motion renders only itself."""
    first = server.post(motions="dab").get_json()
    assert server.post(motions="dab").get_json() == first
    assert len(server.renderer.rendered) == 1
    both = server.post(motions="dab,zombie").get_json()
    assert both["id"] == first["id"]
    assert both["animations"]["dab"] == first["animations"]["dab"]
    assert [motion for motion, _ in server.renderer.rendered] == ["dab", "zombie"]


def test_what_changes_the_result_changes_the_address(start: Start) -> None:
    """Other options, models, renderers or drawings do not find each other's animations."""
    other_drawing = draw_figure().rgb
    other_drawing[0, 0] = 0
    server = start()
    urls = [
        server.post(motions="dab"),
        server.post(motions="dab", size="100"),
        server.post(motions="dab", frames="100"),
        server.post(png(other_drawing), motions="dab"),
        start(models=FigureClient("figure-2")).post(motions="dab"),
        start(renderer=CountingRenderer("counting-2")).post(motions="dab"),
    ]
    assert len({url.get_json()["animations"]["dab"] for url in urls}) == len(urls)


def test_equal_requests_at_the_same_time_are_rendered_once(start: Start) -> None:
    """Two phones (or one impatient thumb) cost one render."""
    renderer = CountingRenderer()
    began, may_end = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        may_end.wait(10)

    renderer.before_render = wait
    server = start(renderer=renderer)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(server.post, motions="dab")
        assert began.wait(10)
        others = [pool.submit(server.post, motions="dab") for _ in range(3)]
        threading.Timer(0.2, may_end.set).start()
        answers = [future.result() for future in [first, *others]]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.get_json()["animations"]["dab"] for answer in answers}) == 1
    assert len(renderer.rendered) == 1


# What is refused


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (TEXT_AS_PNG, 415, "unsupported_media_type"),
        (DRAWING[: len(DRAWING) // 2], 422, "damaged_image"),
        (png_header(30_000, 30_000), 413, "too_many_pixels"),
        (b"", 400, "empty_image"),
        (BLANK, 422, "no_figure"),
    ],
    ids=["text named .png", "truncated", "pixel bomb", "empty", "blank sheet"],
)
def test_refuses_bad_images(server: Server, image: bytes, status: int, code: str) -> None:
    """By every way in: the fitting status, a message, nothing stored, and the next request works."""
    encoded = base64.b64encode(image).decode()
    for response in (
        server.post(image),
        server.http.post("/v1/animations", data=image, content_type="image/jpeg"),
        server.http.post("/", json={"file": encoded}),
    ):
        message = assert_error(response, status, code)
        assert message.lower().startswith("expected")
    assert server.stored() == []
    assert server.post().status_code == 200


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        (
            {"motions": "moonwalk"},
            "unknown_motion",
            "Expected motions among dab, jumping, zombie; came 'moonwalk'",
        ),
        ({"motions": "dab,../dab"}, "unknown_motion", "came '../dab'"),
        ({"motions": ","}, "invalid_request", "motions"),
        ({"size": "big"}, "invalid_request", "size"),
        ({"size": "5000"}, "over_limit", "size: expected at most 1024, came 5000"),
        ({"size": "1"}, "invalid_request", "size"),
        ({"frames": "1e9"}, "invalid_request", "frames"),
        ({"frames": "100000"}, "over_limit", "frames: expected at most 600"),
        ({"format": "tiff"}, "invalid_request", "format"),
        ({"size": "400x"}, "invalid_request", "size"),
        ({"size": "400x9000"}, "over_limit", "size: expected at most 1024, came 9000"),
        ({"background": "red"}, "invalid_request", "background"),
        ({"motion": "dab"}, "invalid_request", "motion"),
    ],
)
def test_refuses_bad_fields(server: Server, fields: dict[str, str], code: str, message: str) -> None:
    """Unknown, senseless and excessive options are 422, and say which one."""
    assert message in assert_error(server.post(**fields), 422, code)
    assert server.models.calls == []
    assert server.stored() == []


def test_refuses_too_many_motions(start: Start) -> None:
    """A request has so many motions and no more."""
    server = start(Settings(max_motions=2))
    assert "at most 2" in assert_error(server.post(motions="dab,jumping,zombie"), 422, "over_limit")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{file: 1}", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b'"text"', 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"file": null}', 422, "invalid_request"),
        (b'{"file": 5}', 422, "invalid_request"),
        (b'{"file": ["a"]}', 422, "invalid_request"),
        (b'{"file": {"a": 1}}', 422, "invalid_request"),
        (b'{"file": "not base64!"}', 422, "invalid_request"),
        (b'{"file": "\xc3\xa4"}', 422, "invalid_request"),
    ],
)
def test_refuses_wrong_json(server: Server, body: bytes, status: int, code: str) -> None:
    """What is no JSON is 400, JSON of another form 422."""
    assert_error(server.http.post("/", data=body, content_type="application/json"), status, code)


def test_messages_do_not_echo_the_upload(server: Server) -> None:
    """A megabyte of nonsense in a field does not come back in the answer."""
    response = server.http.post("/", json={"file": ["A" * 100_000]})
    assert len(response.data) < 1000
    assert len(server.post(motions="A" * 100_000).data) < 1000


def test_refuses_uploads_that_are_none(server: Server) -> None:
    """A form without the file and a body of another type say how to send an image."""
    form = server.http.post(
        "/v1/animations", data={"image": "text", "motions": "dab"}, content_type="multipart/form-data"
    )
    assert "multipart field 'image'" in assert_error(form, 400, "missing_image")
    for content_type in ("application/json", "text/plain", None):
        response = server.http.post("/v1/animations", data=b"{}", content_type=content_type)
        assert_error(response, 415, "unsupported_media_type")


def test_refuses_bodies_over_the_limit(start: Start) -> None:
    """What is too large is refused by its Content-Length, or as it arrives, and by the image's own limit."""
    server = start(Settings(max_image_bytes=10_000))
    assert_error(server.post(bytes(200_000)), 413, "too_large")
    assert_error(server.post(bytes(12_000)), 413, "too_large")
    assert_error(server.http.post("/", json={"file": "A" * 200_000}), 413, "too_large")
    raw = server.http.post("/v1/animations", data=bytes(200_000), content_type="image/png")
    assert_error(raw, 413, "too_large")


def test_unknown_addresses_and_methods(server: Server) -> None:
    """Flask's own errors have the shape too, and keep their headers."""
    assert_error(server.http.get("/v2"), 404, "not_found")
    response = server.http.get("/v1/animations")
    assert_error(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    "key", ["nothing.gif", "../secret", "%2e%2e/secret", ".put-secret", "a/.put-x", "a//b", "a/"]
)
def test_objects_serve_nothing_else(server: Server, tmp_path: Path, key: str) -> None:
    """No path leads out of the store, and half-written objects are not there."""
    (tmp_path / "secret").write_text("secret")
    server.store.directory.mkdir()
    (server.store.directory / ".put-secret").write_text("secret")
    assert server.http.get(f"/objects/{key}", follow_redirects=True).status_code == 404


# What fails


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


def test_work_past_its_deadline_is_not_begun(start: Start) -> None:
    """A request that waited too long is 504, and renders nothing."""
    server = start(Settings(request_deadline_s=0))
    assert_error(server.post(), 504, "deadline_exceeded")
    assert server.models.calls == []


# Health and logs


def test_liveness_asks_nobody(start: Start) -> None:
    """The process is alive whatever happens to the models."""
    assert (
        start(models=FigureClient(error=InferenceUnavailableError("down"))).http.get("/healthz").status_code
        == 200
    )


def test_readiness_names_what_fails(start: Start) -> None:
    """503 with names and no reasons while a part does not answer; 200 when all do."""
    server = start(models=FigureClient(error=InferenceUnavailableError("http://10.0.0.1 down")))
    response = server.http.get("/readyz")
    assert "10.0.0.1" not in response.text
    assert_error(response, 503, "not_ready")
    assert response.get_json()["checks"] == {"warm_up": "ok", "inference": "failing", "storage": "ok"}
    server.models.error = None
    assert server.http.get("/readyz").get_json()["ok"] is True


def test_not_ready_while_warming_up(start: Start) -> None:
    """Traffic comes when the kernels are compiled."""
    server = start()
    service = server.app.extensions["animation_server"].service
    seen = []

    def check() -> None:
        seen.append(server.http.get("/readyz").status_code)

    server.renderer.warm_up = check  # type: ignore[method-assign]
    service.warm_up()
    assert seen == [503]
    assert server.http.get("/readyz").status_code == 200


def test_request_ids_come_back(server: Server) -> None:
    """A fit id of the caller's is kept; an unfit one is replaced; without one there is a new one."""
    ids = [
        server.http.get("/healthz", headers=headers).headers["X-Request-ID"]
        for headers in (
            {"X-Request-ID": "abc-1.2_3"},
            {"X-Request-ID": "a b<script>"},
            {"X-Request-ID": "x" * 65},
            {},
            {},
        )
    ]
    assert ids[0] == "abc-1.2_3"
    assert len(set(ids)) == 5
    assert all(len(i) == 32 for i in ids[1:])


def test_one_log_line_a_request(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """It names what was asked and how long the stages took, and holds no key and no image."""
    with caplog.at_level(logging.INFO, logger="animation_server.api.request_log"):
        url = server.post(motions="dab").get_json()["animations"]["dab"]
        server.http.get(path_of(url)).close()
    first, second = (vars(record) for record in caplog.records if record.getMessage() == "request")
    assert (first["method"], first["route"], first["status"]) == ("POST", "/v1/animations", 200)
    assert set(first["stages_ms"]) == {"decode", "detect", "pose", "mask", "store"}
    assert second["route"] == "/objects/<path:key>"
    key = path_of(url).removeprefix("/objects/")
    assert not any(key in json.dumps(line, default=str) for line in (first, second))
