"""What is refused over HTTP: the fitting status, the one shape, and what was expected."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from animation_server.settings import Settings
from tests.app_client import Server, Start, assert_error
from tests.drawings import BLANK, DRAWING, TEXT_AS_PNG, png_header


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
    assert len(server.http.post("/", json={"file": "", "A" * 1_000_000: 1}).data) < 1000


def test_refuses_uploads_that_are_none(server: Server) -> None:
    """A form without the file and a body of another type say how to send an image."""
    form = server.http.post(
        "/v1/animations", data={"image": "text", "motions": "dab"}, content_type="multipart/form-data"
    )
    assert "multipart field 'image'" in assert_error(form, 400, "missing_image")
    for content_type in ("application/json", "text/plain", None):
        response = server.http.post("/v1/animations", data=b"{}", content_type=content_type)
        assert_error(response, 415, "unsupported_media_type")


def test_an_image_that_came_as_text_is_told_so(server: Server) -> None:
    """Without a file name it counts as one of the fields, which may hold little."""
    image = "\r\n" * 300_000
    for name, status, code in (("", 413, "too_large"), ('; filename="a.png"', 415, "unsupported_media_type")):
        part = f'--x\r\nContent-Disposition: form-data; name="image"{name}\r\n\r\n{image}\r\n--x--\r\n'
        answer = server.http.post(
            "/v1/animations", data=part.encode(), content_type="multipart/form-data; boundary=x"
        )
        assert ("file name" in assert_error(answer, status, code)) is (status == 413)


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
