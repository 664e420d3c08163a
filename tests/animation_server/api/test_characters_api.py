"""Characters over HTTP: made, read, corrected, animated, deleted."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image
from werkzeug.test import TestResponse

from animation_server.settings import Settings
from tests.app_client import Server, Start, assert_error, path_of
from tests.drawings import BLANK, DRAWING, mask_text, png
from tests.fakes import GIF

NOBODY = "0" * 32


def create(server: Server) -> dict[str, Any]:
    response = server.http.post("/v1/characters", data=DRAWING, content_type="image/png")
    assert response.status_code == 201, response.text
    assert path_of(response.headers["Location"]) == f"/v1/characters/{response.get_json()['id']}"
    return dict(response.get_json())


def picture(server: Server, url: str) -> np.ndarray:
    with server.http.get(path_of(url)) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/png")
        return np.asarray(Image.open(io.BytesIO(answer.data)))


def patch(server: Server, name: str, headers: dict[str, str] | None = None, **wanted: Any) -> TestResponse:
    return server.http.patch(f"/v1/characters/{name}", json=wanted, headers=headers)


def animate(server: Server, name: str, **wishes: Any) -> TestResponse:
    return server.http.post(f"/v1/characters/{name}/animations", json=wishes)


def test_a_drawing_becomes_a_character(server: Server) -> None:
    """It tells where the figure is, in the image's pixels; its pictures can be fetched and agree in size."""
    body = create(server)
    assert body["revision"] == 1
    assert body["image"] == {"width": 300, "height": 380}
    left, top, right, bottom = body["bbox_xyxy"]
    assert 0 <= left < right <= 300
    assert 0 <= top < bottom <= 380
    assert len(body["keypoints"]) == 13
    assert all(left <= x <= right and top <= y <= bottom for x, y, _ in body["keypoints"].values())
    size = (body["texture"]["height"], body["texture"]["width"])
    assert picture(server, body["urls"]["texture"]).shape == (*size, 3)
    assert picture(server, body["urls"]["mask"]).shape == size
    assert picture(server, body["urls"]["overlay"]).shape == (*size, 3)
    assert server.renderer.rendered == []


def test_is_read_as_it_was_made(server: Server) -> None:
    """The very same again, under an id that is another one every time, even for the same drawing."""
    first, second = create(server), create(server)
    assert first["id"] != second["id"]
    response = server.http.get(f"/v1/characters/{first['id']}")
    assert response.get_json() == first
    known = server.http.get(
        f"/v1/characters/{first['id']}", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert (known.status_code, known.data) == (304, b"")


def test_links_do_not_name_the_character(server: Server) -> None:
    """A link that is passed on gives nobody the right to change the character."""
    body = create(server)
    urls = [*body["urls"].values(), *animate(server, body["id"]).get_json()["animations"].values()]
    assert not any(body["id"] in url for url in urls)


def test_is_animated_like_its_drawing(server: Server) -> None:
    """As long as nobody has corrected it, its animations are those of the drawing, made once."""
    name = create(server)["id"]
    ours = animate(server, name, motions=["dab", "zombie"], size="200x100", frames=20)
    assert ours.get_json()["id"] == name
    of_drawing = server.post(motions="dab,zombie", size="200x100", frames="20")
    assert ours.get_json()["animations"] == of_drawing.get_json()["animations"]
    assert len(server.renderer.rendered) == 2
    assert server.models.calls == ["detect", "estimate_pose"]


def test_is_animated_as_the_settings_say(start: Start) -> None:
    """Without a body, by the operator's motions."""
    server = start(Settings(motions=("jumping",)))
    response = server.http.post(f"/v1/characters/{create(server)['id']}/animations")
    assert set(response.get_json()["animations"]) == {"jumping"}


def test_joints_are_corrected(server: Server) -> None:
    """A joint moves where it is put, all others stay; what was animated before is rendered anew."""
    body = create(server)
    before = animate(server, body["id"], motions=["dab"]).get_json()["animations"]
    response = patch(server, body["id"], keypoints={"left_hand": [120.5, 60]})
    after = response.get_json()
    assert (response.status_code, after["revision"]) == (200, 2)
    assert after["keypoints"]["left_hand"] == pytest.approx([120.5, 60, 1.0])
    assert after["keypoints"] | {"left_hand": body["keypoints"]["left_hand"]} == body["keypoints"]
    assert after["urls"]["overlay"] != body["urls"]["overlay"]
    assert server.http.get(f"/v1/characters/{body['id']}").get_json() == after
    again = animate(server, body["id"], motions=["dab"]).get_json()["animations"]
    assert again != before
    assert animate(server, body["id"], motions=["dab"]).get_json()["animations"] == again
    assert len(server.renderer.rendered) == 2


def test_the_mask_is_corrected(server: Server) -> None:
    """The new mask is kept as it came, and the box is around it."""
    body = create(server)
    mask = np.zeros(picture(server, body["urls"]["mask"]).shape, dtype=bool)
    mask[20:60, 10:31] = True
    after = patch(server, body["id"], mask=mask_text(mask)).get_json()
    np.testing.assert_array_equal(picture(server, after["urls"]["mask"]) > 127, mask)
    scale, (left, top) = body["texture"]["scale"], body["texture"]["offset"]
    box = (np.array([10, 20, 31, 60]) - 0.5) * scale + np.array([left, top] * 2) + 0.5
    assert after["bbox_xyxy"] == pytest.approx(box.tolist())
    assert after["keypoints"] == body["keypoints"]


def test_equal_corrections_animate_to_equal_addresses(server: Server) -> None:
    """What the character looks like decides, not how often it was corrected."""
    name = create(server)["id"]
    urls = []
    for x in (100, 110, 100):
        patch(server, name, keypoints={"nose": [x, 50]})
        urls.append(animate(server, name, motions=["dab"]).get_json()["animations"]["dab"])
    assert urls[0] == urls[2] != urls[1]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"keypoints": {"tail": [1, 1]}}, "invalid_request"),
        ({"keypoints": {"nose": [-1, 10]}}, "invalid_request"),
        ({"keypoints": {"nose": [301, 10]}}, "invalid_keypoint"),
        ({"mask": None}, "invalid_request"),
        ({"keypoints": {"nose": [10, 381]}}, "invalid_keypoint"),
        ({"keypoints": {"nose": [1]}}, "invalid_request"),
        ({"keypoints": {"nose": ["1", "2"]}}, "invalid_request"),
        ({"keypoints": []}, "invalid_request"),
        ({"joints": {}}, "invalid_request"),
        ({"mask": "not base64!"}, "invalid_mask"),
        ({"mask": base64.b64encode(b"GIF89a").decode()}, "invalid_mask"),
        ({"mask": mask_text(np.ones((5, 5)))}, "invalid_mask"),
        ({"mask": 1}, "invalid_request"),
    ],
)
def test_corrections_that_do_not_fit(server: Server, wanted: dict[str, Any], code: str) -> None:
    """Refused with the reason; the character stays as it is."""
    body = create(server)
    assert_error(patch(server, body["id"], **wanted), 422, code)
    assert server.http.get(f"/v1/characters/{body['id']}").get_json() == body


def test_an_empty_mask_is_refused(server: Server) -> None:
    """There would be nothing to animate."""
    body = create(server)
    black = np.zeros((body["texture"]["height"], body["texture"]["width"]), dtype=bool)
    assert "black" in assert_error(patch(server, body["id"], mask=mask_text(black)), 422, "invalid_mask")


def test_a_mask_that_is_cut_off_is_refused(server: Server) -> None:
    """Half a file is no mask."""
    body = create(server)
    white = png(np.full((body["texture"]["height"], body["texture"]["width"]), 255, dtype=np.uint8))
    half = base64.b64encode(white[: len(white) // 2]).decode()
    assert_error(patch(server, body["id"], mask=half), 422, "invalid_mask")


def test_a_correction_of_an_older_revision_is_refused(server: Server) -> None:
    """If-Match protects what somebody else has corrected in the meantime."""
    body = create(server)
    etag = server.http.get(f"/v1/characters/{body['id']}").headers["ETag"]
    first = patch(server, body["id"], {"If-Match": etag}, keypoints={"nose": [100, 50]})
    assert first.status_code == 200
    second = patch(server, body["id"], {"If-Match": etag}, keypoints={"nose": [110, 50]})
    assert_error(second, 412, "precondition_failed")
    third = patch(server, body["id"], {"If-Match": first.headers["ETag"]}, keypoints={"nose": [110, 50]})
    assert third.get_json()["revision"] == 3
    assert patch(server, body["id"], {"If-Match": "*"}, keypoints={}).get_json()["revision"] == 4


def test_of_corrections_at_the_same_time_none_is_lost(server: Server) -> None:
    """Each is kept as a revision or refused with 409; none overwrites another."""
    name = create(server)["id"]

    def move(x: int) -> int:
        response = server.app.test_client().patch(
            f"/v1/characters/{name}", json={"keypoints": {"nose": [x, 50]}}
        )
        return response.status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(move, range(100, 112)))
    assert set(statuses) <= {200, 409}
    assert server.http.get(f"/v1/characters/{name}").get_json()["revision"] == 1 + statuses.count(200)


def test_delete_deletes(server: Server) -> None:
    """Pictures, revisions, its animations and those of its drawing: nothing is left; again is no error."""
    name = create(server)["id"]
    animate(server, name, motions=["dab"])
    patch(server, name, keypoints={"nose": [100, 50]})
    animate(server, name, motions=["dab"])
    server.post(motions="zombie")
    other = server.post(png(np.asarray(Image.open(io.BytesIO(DRAWING))).copy()[:, ::-1]), motions="dab")
    for _ in range(2):
        response = server.http.delete(f"/v1/characters/{name}")
        assert (response.status_code, response.data) == (204, b"")
    (left,) = server.stored()
    assert other.get_json()["animations"]["dab"].endswith(left.name)
    for call in (server.http.get, server.http.patch):
        assert_error(call(f"/v1/characters/{name}", json={}), 404, "not_found")
    assert_error(animate(server, name), 404, "not_found")


def test_animations_without_a_character_are_deleted(server: Server) -> None:
    """The id of a one-shot answer deletes what it made, and nothing of a character of the same drawing."""
    character = create(server)
    made = server.post(motions="dab,zombie").get_json()
    assert server.http.delete(f"/v1/characters/{made['id']}").status_code == 204
    for url in made["animations"].values():
        assert server.http.get(path_of(url)).status_code == 404
    assert server.http.get(f"/v1/characters/{character['id']}").status_code == 200
    assert server.post(motions="dab").status_code == 200


def test_what_is_deleted_while_it_is_rendered_does_not_come_back(server: Server) -> None:
    """The render that is under way ends in 404 and leaves nothing."""
    name = create(server)["id"]
    server.renderer.before_render = lambda: server.app.test_client().delete(f"/v1/characters/{name}")
    assert_error(animate(server, name, motions=["dab"]), 404, "not_found")
    assert server.stored() == []


@pytest.mark.parametrize("name", [NOBODY, "x", "..", "%2e%2e", "A" * 32, "previews"])
def test_nobody_by_that_id(server: Server, name: str) -> None:
    """404 in the one shape, whatever is done with it."""
    assert_error(server.http.get(f"/v1/characters/{name}"), 404, "not_found")
    assert_error(patch(server, name), 404, "not_found")
    assert_error(animate(server, name), 404, "not_found")


def test_drawings_are_not_kept(server: Server) -> None:
    """What is stored of a character is its crop; it cannot be animated on its sheet."""
    name = create(server)["id"]
    assert sorted(path.stem.partition("-")[0] for path in server.stored()) == [
        "00000001",
        "mask",
        "overlay",
        "texture",
    ]
    assert "keep" in assert_error(animate(server, name, background="sheet"), 422, "no_sheet")


def test_drawings_are_kept_where_that_is_set(start: Start) -> None:
    """Then the character is animated on its own sheet, at the address that the drawing's has."""
    server = start(Settings(keep_uploads=True))
    name = create(server)["id"]
    ours = animate(server, name, background="sheet", motions=["dab"]).get_json()["animations"]
    assert server.post(background="sheet", motions="dab").get_json()["animations"] == ours
    assert len(server.renderer.rendered) == 1


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"motions": ["moonwalk"]}, "unknown_motion"),
        ({"motions": []}, "invalid_request"),
        ({"motions": "dab"}, "invalid_request"),
        ({"motions": [1]}, "invalid_request"),
        ({"size": [100, 100]}, "invalid_request"),
        ({"size": True}, "invalid_request"),
        ({"size": 5000}, "over_limit"),
        ({"frames": "20"}, "invalid_request"),
        ({"speed": True}, "invalid_request"),
        ({"loop": "true"}, "invalid_request"),
        ({"background": None}, "invalid_request"),
        ({"motions": None}, "invalid_request"),
        ({"frames": None}, "invalid_request"),
        ({"frames": 20.5}, "invalid_request"),
        ({"sizes": 100}, "invalid_request"),
    ],
)
def test_wishes_that_there_are_not(server: Server, wishes: dict[str, Any], code: str) -> None:
    """JSON is taken as it is written: a number is no text, and a text no number."""
    assert_error(animate(server, create(server)["id"], **wishes), 422, code)


def test_wishes_that_are_no_json(server: Server) -> None:
    """400 for what cannot be read, 415 for what does not say that it is JSON."""
    path = f"/v1/characters/{create(server)['id']}/animations"
    assert_error(server.http.post(path, data=b"{", content_type="application/json"), 400, "invalid_json")
    assert_error(server.http.post(path, data=b"{}"), 415, "unsupported_media_type")
    assert_error(server.http.post(f"{path}?size=100", json={}), 422, "invalid_request")


def test_characters_are_refused_like_drawings(server: Server) -> None:
    """A picture without a figure keeps nothing."""
    response = server.http.post("/v1/characters", data=BLANK, content_type="image/png")
    assert_error(response, 422, "no_figure")
    assert server.stored() == []
    form = {"image": (io.BytesIO(DRAWING), "a.png"), "motions": "dab"}
    assert_error(server.http.post("/v1/characters", data=form), 422, "invalid_request")


def test_the_same_file_is_served_once_made(server: Server) -> None:
    """The address of a character's animation leads to the file."""
    url = animate(server, create(server)["id"], motions=["dab"]).get_json()["animations"]["dab"]
    with server.http.get(path_of(url)) as answer:
        assert (answer.data, answer.mimetype) == (GIF, "image/gif")


def test_records_are_not_served(server: Server) -> None:
    """What the store holds beside pictures is nobody's to fetch."""
    create(server)
    (record,) = [path for path in server.stored() if path.suffix == ".json"]
    key = record.relative_to(server.store.directory)
    assert server.http.get(f"/objects/{key}").status_code == 404
