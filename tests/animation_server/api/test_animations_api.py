"""Animations over HTTP: what can be asked for, and what is made anew."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from animation_server.animate import AnimationOptions
from animation_server.errors import SettingsError
from animation_server.settings import Settings
from tests.app_client import Server, Start, assert_error, path_of
from tests.drawings import DRAWING, png
from tests.fakes import GIF, CountingRenderer, FigureClient
from tests.figures import draw_figure


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
