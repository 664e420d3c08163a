"""The studio where things come late, go wrong, or are done in the middle of others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests.animation_server.studio.driving import (
    PATIENCE_MS,
    animate,
    character,
    choose_motions,
    choose_second,
    has_focus,
    hold,
    let_go,
    nudge,
    open_sample,
    open_second,
    place_of,
    wait_for,
)
from tests.parts.server import Server, animation_server
from tests.places import SAMPLE

pytestmark = pytest.mark.slow

VEIL = "document.querySelector('#veil').toDataURL()"

BREAK_STREAM = """
const whole = window.fetch;
window.fetch = async (path, options) => {
  const answer = await whole(path, options);
  if (!path.endsWith("/animations")) return answer;
  const broken = new ReadableStream({ pull(stream) { stream.error(new TypeError("network error")); } });
  return new Response(broken, { status: answer.status });
};
"""


def test_the_drawing_chosen_last_is_shown(page: Page, server: Server) -> None:
    """A mask that comes late, of the drawing before, is not laid over it."""
    held = hold(page, "/mask-")
    page.goto(server.url)
    page.set_input_files("#file", SAMPLE)
    wait_for(page, held)
    open_second(page)
    before = page.evaluate(VEIL)
    let_go(page, held)
    assert page.evaluate(VEIL) == before


def test_a_picture_that_is_late_is_not_stood_in_for(page: Page, server: Server) -> None:
    """While a drawing comes, the joints lie over nothing rather than over the drawing before."""
    open_sample(page, server)
    shown = page.locator("#stage").screenshot()
    held = hold(page, "/texture-")
    choose_second(page)
    wait_for(page, held)
    page.wait_for_timeout(300)
    assert len(page.locator("#stage").screenshot()) < len(shown) / 2
    let_go(page, held)


def test_a_late_correction_leaves_the_next_drawing_alone(page: Page, server: Server) -> None:
    """Its answer is of the drawing before."""
    open_sample(page, server)
    held = hold(page, "/v1/characters/", "PATCH")
    nudge(page, "left_hand", "ArrowUp")
    page.click("#animate")
    wait_for(page, held)
    page.click("#another")
    open_second(page)
    name = page.url.partition("#character=")[2]
    let_go(page, held)
    nudge(page, "left_hand", "ArrowUp")
    choose_motions(page, "dab")
    animate(page, 1)
    assert character(server, name)["revision"] == 2


def test_a_late_deletion_leaves_the_next_drawing_alone(page: Page, server: Server) -> None:
    """It is gone from the server, and what was opened meanwhile is still shown."""
    name = open_sample(page, server)
    held = hold(page, "/v1/characters/", "DELETE")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#delete")
    wait_for(page, held)
    open_second(page)
    let_go(page, held)
    expect(page.locator("#figure")).to_be_visible()
    assert requests.get(f"{server.url}/v1/characters/{name}", timeout=30).status_code == 404


def test_a_drawing_opened_late_gives_way(page: Page, server: Server) -> None:
    """To one that was chosen meanwhile."""
    name = open_sample(page, server)
    held = hold(page, f"/v1/characters/{name}")
    page.reload()
    wait_for(page, held)
    open_second(page)
    held[0].continue_()
    page.wait_for_timeout(1000)
    assert name not in page.url


def test_what_is_corrected_while_saving_stays(page: Page, server: Server) -> None:
    """It is sent with the next correction; and what was saved can still be undone."""
    name = open_sample(page, server)
    choose_motions(page, "dab")
    start = place_of(page, "left_hand")
    held = hold(page, "/v1/characters/", "PATCH")
    nudge(page, "left_hand", "ArrowUp")
    page.click("#animate")
    wait_for(page, held)
    nudge(page, "right_hand", "ArrowUp")
    let_go(page, held)
    expect(page.locator("#results figure")).to_have_count(1)
    before = character(server, name)["keypoints"]
    animate(page, 1)
    expect(page.locator("#status")).to_have_text("It moves.")
    after = character(server, name)["keypoints"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert {joint for joint in after if after[joint] != before[joint]} == {"right_hand"}
    page.click("#undo")
    page.click("#undo")
    assert place_of(page, "left_hand") == start
    page.click("#animate")
    expect(page.locator("#animate")).to_be_enabled()
    assert character(server, name)["revision"] == 4


def test_stop_is_at_once(page: Page, server: Server) -> None:
    """Also while a correction is being sent; and started again, nothing is in its way."""
    name = open_sample(page, server)
    choose_motions(page, "dab")
    held = hold(page, "/v1/characters/", "PATCH")
    nudge(page, "left_hand", "ArrowUp")
    page.click("#animate")
    wait_for(page, held)
    page.click("#stop")
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Stopped.")
    has_focus(page, "#animate")
    nudge(page, "left_hand", "ArrowUp")
    page.click("#animate")
    let_go(page, held)
    expect(page.locator("#results figure")).to_have_count(1)
    assert character(server, name)["revision"] == 3


def test_a_double_click_is_one(page: Page, server: Server) -> None:
    """The second is no stop."""
    open_sample(page, server)
    page.dblclick("#animate")
    expect(page.locator("#results figure")).to_have_count(3)


def test_somebody_elses_correction_is_shown(page: Page, server: Server) -> None:
    """Instead of being written over; and from there it goes on."""
    name = open_sample(page, server)
    correction = {"keypoints": {"left_hand": [100, 100]}}
    requests.patch(f"{server.url}/v1/characters/{name}", json=correction, timeout=30)
    before = place_of(page, "left_hand")
    nudge(page, "right_hand", "ArrowUp")
    page.click("#animate")
    expect(page.locator("#status")).to_have_text(re.compile("corrected elsewhere"))
    assert place_of(page, "left_hand") != before
    nudge(page, "right_hand", "ArrowUp")
    page.click("#animate")
    expect(page.locator("#status")).to_have_text("It moves.")
    assert character(server, name)["revision"] == 3


def test_a_figure_painted_away_can_be_had_back(page: Page, server: Server) -> None:
    """What is wrong is said in the page's words, and undone."""
    open_sample(page, server)
    page.click("text=Take away")
    page.fill("#brush-size", "60")
    box = page.locator("#stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    for y in range(3, int(box["height"]), 35):
        page.mouse.move(box["x"] + 3, box["y"] + y)
        page.mouse.move(box["x"] + box["width"] - 3, box["y"] + y)
    page.mouse.up()
    page.click("#animate")
    expect(page.locator("#status")).to_have_text("Nothing of the figure is left. Undo, or add to it.")
    page.click("#undo")
    page.click("#animate")
    expect(page.locator("#status")).to_have_text("It moves.")


def test_a_connection_lost_midway_is_said(page: Page, server: Server) -> None:
    """In words, also where it breaks in the middle of an answer."""
    page.add_init_script(BREAK_STREAM)
    open_sample(page, server)
    page.click("#animate")
    expect(page.locator("#status")).to_have_text(re.compile("connection to the server was lost"))
    expect(page.locator("#animate")).to_be_enabled()


def test_the_same_file_can_be_chosen_again(page: Page, server: Server) -> None:
    """Browsers tell of a choice only where it differs from the one before."""
    page.goto(server.url)
    page.context.set_offline(True)
    page.set_input_files("#file", SAMPLE)
    expect(page.locator("#status")).to_have_text(re.compile("Try again"))
    page.context.set_offline(False)
    page.set_input_files("#file", SAMPLE)
    expect(page.locator("#joints button")).to_have_count(13, timeout=PATIENCE_MS)


def test_motions_that_did_not_come_are_asked_for_again(page: Page, server: Server) -> None:
    """By the only button there is."""
    page.route("**/v1/motions", lambda route: route.abort())
    page.goto(server.url)
    page.set_input_files("#file", SAMPLE)
    expect(page.locator("#status")).to_have_class("error")
    page.unroute("**/v1/motions")
    page.click("#animate")
    expect(page.locator("#motions input")).not_to_have_count(0)


def test_back_leads_to_the_drawing_before(page: Page, server: Server) -> None:
    """Which could not be deleted otherwise; and an address typed over another is opened."""
    name = open_sample(page, server)
    page.click("#another")
    expect(page.locator("#start")).to_be_visible()
    page.go_back()
    expect(page.locator("#figure")).to_be_visible()
    assert name in page.url
    page.evaluate("() => { location.hash = '#character=00000000000000000000000000000000'; }")
    expect(page.locator("#status")).to_have_text(re.compile("No such character"))
    expect(page.locator("#start")).to_be_visible()


@pytest.mark.parametrize("way", ["Escape", "Cancel"])
def test_a_key_may_be_refused(page: Page, server: Server, way: str) -> None:
    """What was typed by then is not used."""
    sent: list[str | None] = []

    def refuse(route: Route) -> None:
        sent.append(route.request.headers.get("authorization"))
        error = {"ok": False, "error": {"code": "unauthorized", "message": "No key.", "request_id": "1"}}
        route.fulfill(status=401, json=error)

    page.route("**/v1/characters", refuse)
    page.goto(server.url)
    page.set_input_files("#file", SAMPLE)
    page.fill("#key", "half of it")
    if way == "Escape":
        page.keyboard.press("Escape")
    else:
        page.click("#key-dialog >> text=Cancel")
    expect(page.locator("#status")).to_have_text("The server asks for an API key.")
    assert sent == [None]


def test_a_server_without_jobs_animates(page: Page, tmp_path: Path) -> None:
    """By a plain answer, which can be stopped, too."""
    with animation_server(tmp_path, {"ANIMATION_JOBS": "off"}) as server:
        open_sample(page, server)
        held = hold(page, "/animations", "POST")
        page.click("#animate")
        wait_for(page, held)
        page.click("#stop")
        expect(page.locator("#status")).to_have_text("Stopped.")
        choose_motions(page, "dab")
        animate(page, 1)


def test_storage_without_cors_rules_is_shown(page: Page, server: Server, tmp_path: Path) -> None:
    """The drawing is seen, moved and animated; that its outline cannot be painted is said, and why."""
    objects = server.log.with_name("objects")
    elsewhere = {"ANIMATION_PUBLIC_URL": server.url, "ANIMATION_LOCAL_DIR": str(objects)}
    with animation_server(tmp_path, elsewhere) as other:
        page.goto(other.url)
        page.set_input_files("#file", SAMPLE)
        expect(page.locator("#sealed")).to_be_visible()
        expect(page.locator("#tools [value=add]")).to_be_disabled()
        choose_motions(page, "dab")
        animate(page, 1)
        with page.context.expect_page():
            page.click("#results a")
        assert page.url.startswith(other.url)
