"""The studio in a browser, with the real server behind it: what people do on it, and what comes of that."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from playwright.sync_api import Page, Route, expect

from animation_server.api.keys import add_key
from tests.animation_server.studio.driving import (
    PATIENCE_MS,
    animate,
    centre_of,
    character,
    choose_motions,
    drag,
    mask_of,
    open_sample,
)
from tests.drawings import png
from tests.parts.server import Server, animation_server
from tests.places import SAMPLE

pytestmark = pytest.mark.slow


def test_a_drawing_is_animated(page: Page, server: Server) -> None:
    """Chosen, looked at, animated: as many pictures move as motions were chosen, and can be saved."""
    open_sample(page, server)
    shown = "image => image.decode().then(() => image.naturalWidth)"
    assert page.locator("#texture").evaluate(shown) > 100
    choose_motions(page, "dab", "wave")
    animate(page, 2)
    for result in page.locator("#results figure img").all():
        assert result.evaluate(shown) == 400
    with page.expect_download() as download:
        page.click("#results a >> text=dab")
    assert re.fullmatch(r"dab.*\.gif", download.value.suggested_filename)
    assert Path(download.value.path()).read_bytes().startswith(b"GIF89a")


def test_what_was_chosen_is_what_comes(page: Page, server: Server) -> None:
    """Background, speed and kind of file reach the server as they were chosen."""
    open_sample(page, server)
    choose_motions(page, "dab")
    page.select_option("[name=background]", "#ffffff")
    page.select_option("[name=speed]", "2")
    page.select_option("[name=format]", "webp")
    animate(page, 1)
    address = page.locator("#results img").get_attribute("src")
    assert address is not None
    with Image.open(io.BytesIO(requests.get(address, timeout=30).content)) as clip:
        assert clip.format == "WEBP"
        assert clip.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_a_joint_that_was_dragged_stays_there(page: Page, server: Server) -> None:
    """The place where it was let go, in the image's pixels, is what the server keeps; nothing else moves."""
    name = open_sample(page, server)
    before = character(server, name)
    x, y = centre_of(page, "[data-joint=left_hand]")
    drag(page, (x + 3, y - 2), (x + 33, y + 38))
    page.locator("[data-joint=right_hand]").focus()
    page.keyboard.press("Shift+ArrowUp")
    choose_motions(page, "dab")
    width = page.locator("#stage").evaluate("stage => stage.clientWidth")
    animate(page, 1)
    after = character(server, name)
    moved = {
        joint: np.subtract(place[:2], before["keypoints"][joint][:2])  # type: ignore[index]
        for joint, place in after["keypoints"].items()  # type: ignore[attr-defined]
    }
    texture = before["texture"]
    assert isinstance(texture, dict)
    full_pixels = texture["width"] / width * texture["scale"]
    assert moved.pop("left_hand") == pytest.approx(np.multiply((30, 40), full_pixels), abs=0.6 * full_pixels)
    assert moved.pop("right_hand") == pytest.approx((0, -10 * texture["scale"]), abs=0.02)
    assert max(np.abs(by).max() for by in moved.values()) == 0
    assert after["revision"] == 2


def test_the_mask_is_painted(page: Page, server: Server) -> None:
    """Under the brush the figure grows or shrinks, elsewhere it stays; what was undone is not sent."""
    name = open_sample(page, server)
    before = mask_of(server, name)
    box = page.locator("#stage").bounding_box()
    assert box is not None
    corner = box["x"] + 30, box["y"] + 30
    end = corner[0] + 60, corner[1]
    page.click("text=Add to the figure")
    drag(page, corner, end)
    page.click("text=Take away")
    drag(page, centre_of(page, "[data-joint=left_hip]"), centre_of(page, "[data-joint=right_hip]"))
    page.click("#undo")
    choose_motions(page, "dab")
    animate(page, 1)
    added = mask_of(server, name) & ~before
    assert not (before & ~mask_of(server, name)).any()
    rows, columns = np.nonzero(added)
    pixels = before.shape[1] / box["width"]
    size = 20  # the brush's, on the screen
    assert columns.min() == pytest.approx((30 - size / 2) * pixels, abs=2)
    assert columns.max() == pytest.approx((90 + size / 2) * pixels, abs=2)
    assert rows.mean() == pytest.approx(30 * pixels, abs=1)


def test_undone_is_as_if_never_done(page: Page, server: Server) -> None:
    """Joints go back one by one, and with nothing left to undo nothing is sent."""
    name = open_sample(page, server)
    start = centre_of(page, "[data-joint=left_foot]")
    drag(page, start, (start[0] - 20, start[1] - 20))
    drag(page, (start[0] - 20, start[1] - 20), (start[0] - 40, start[1]))
    page.click("#undo")
    assert centre_of(page, "[data-joint=left_foot]") == pytest.approx((start[0] - 20, start[1] - 20), abs=0.1)
    page.click("#undo")
    assert centre_of(page, "[data-joint=left_foot]") == pytest.approx(start, abs=0.1)
    expect(page.locator("#undo")).to_be_disabled()
    choose_motions(page, "dab")
    animate(page, 1)
    assert character(server, name)["revision"] == 1


def test_a_drawing_is_found_again_and_deleted(page: Page, server: Server) -> None:
    """Its address opens it; deleted, it is gone from the server and from the page."""
    name = open_sample(page, server)
    page.reload()
    expect(page.locator("#joints button")).to_have_count(13)
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#delete")
    expect(page.locator("#start")).to_be_visible()
    assert requests.get(f"{server.url}/v1/characters/{name}", timeout=30).status_code == 404
    assert "#" not in page.url


def test_no_figure_is_said(page: Page, server: Server) -> None:
    """An empty sheet is answered in words, and another drawing may follow."""
    page.goto(server.url)
    sheet = png(np.full((600, 600, 3), 255, np.uint8))
    page.set_input_files("#file", {"name": "sheet.png", "mimeType": "image/png", "buffer": sheet})
    expect(page.locator("#status")).to_have_text(re.compile("figure"), timeout=PATIENCE_MS)
    expect(page.locator("#status")).to_have_class("error")
    open_sample(page, server)


def test_a_busy_server_is_asked_again(page: Page, server: Server) -> None:
    """After the time that it named, without anybody doing anything."""
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused or route.request.method != "POST":
            route.continue_()
            return
        refused.append(route.request.url)
        error = {"ok": False, "error": {"code": "busy", "message": "Busy.", "request_id": "1"}}
        route.fulfill(status=503, headers={"Retry-After": "1"}, json=error)

    page.route("**/v1/characters", refuse_once)
    open_sample(page, server)
    assert len(refused) == 1


def test_a_key_is_asked_for(page: Page, tmp_path: Path) -> None:
    """Where the server wants one: again after a wrong one, and not again after the right one."""
    key = add_key(tmp_path / "keys", "somebody")
    with animation_server(tmp_path / "server", {"ANIMATION_API_KEYS_FILE": str(tmp_path / "keys")}) as server:
        page.goto(server.url)
        page.set_input_files("#file", SAMPLE)
        for offered in ("no such key", key):
            expect(page.locator("#key-dialog")).to_be_visible()
            page.fill("#key", offered)
            page.click("#key-dialog button")
        expect(page.locator("#joints button")).to_have_count(13, timeout=PATIENCE_MS)
        choose_motions(page, "dab")
        animate(page, 1)
        expect(page.locator("#key-dialog")).to_be_hidden()


def test_what_is_dropped_and_no_file_is_said(page: Page, server: Server) -> None:
    """Pictures dragged out of other pages often come as their addresses."""
    page.goto(server.url)
    page.evaluate("""() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData("text/uri-list", "https://example.com/drawing.png");
      document.dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
    }""")
    expect(page.locator("#status")).to_have_text(re.compile("no file"))
