"""The studio by other means than a mouse and a pair of eyes: fingers, keys, readers of the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.animation_server.studio.driving import (
    animate,
    centre_of,
    choose_motions,
    has_focus,
    nudge,
    open_sample,
    open_second,
    place_of,
)
from tests.parts.server import Server

pytestmark = pytest.mark.slow

Fingers = dict[int, tuple[float, float]]


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


def touch(page: Page, *steps: Fingers) -> None:
    """Put fingers on the screen, lead them from step to step, and lift them all."""
    session = page.context.new_cdp_session(page)
    down: Fingers = {}
    for fingers in [*steps, {}]:
        kind = "touchStart" if fingers.keys() - down.keys() else "touchMove" if fingers else "touchEnd"
        points = [{"id": finger, "x": x, "y": y} for finger, (x, y) in fingers.items()]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(20)
        down = fingers


def test_a_finger_drags_a_joint(phone: Page, server: Server) -> None:
    """And a second one, set down elsewhere, moves neither that joint nor another."""
    open_sample(phone, server)
    hand, foot = centre_of(phone, "[data-joint=left_hand]"), centre_of(phone, "[data-joint=right_foot]")
    led = [{1: (hand[0] - 5 * step, hand[1])} for step in range(4)]
    both = [{1: (hand[0] - 15 - 5 * step, hand[1]), 2: (foot[0], foot[1] - 5 * step)} for step in range(4)]
    touch(phone, *led, *both)
    moved = np.subtract(centre_of(phone, "[data-joint=left_hand]"), hand)
    assert moved == pytest.approx((-30, 0), abs=0.5)
    assert centre_of(phone, "[data-joint=right_foot]") == pytest.approx(foot, abs=0.1)


@pytest.mark.parametrize("tool", ["joints", "remove"])
def test_a_swipe_over_the_drawing_scrolls_unless_it_paints(phone: Page, server: Server, tool: str) -> None:
    """The drawing fills most of a phone's screen: whoever does not paint is to get past it."""
    open_sample(phone, server)
    phone.locator(f"[value={tool}]").check(force=True)
    box = phone.locator("#stage").bounding_box()
    assert box is not None
    start = phone.evaluate("scrollY")
    touch(phone, *({1: (box["x"] + 8, box["y"] + 300 - 15 * step)} for step in range(12)))
    phone.wait_for_timeout(300)
    assert (phone.evaluate("scrollY") - start > 50) == (tool == "joints")


def test_what_is_said_is_seen_on_a_phone(phone: Page, server: Server) -> None:
    """Also by those who have scrolled down to the button that made the page say it."""
    open_sample(phone, server)
    choose_motions(phone)
    phone.click("#animate")
    expect(phone.locator("#status")).to_have_text("Choose at least one motion.")
    expect(phone.locator("#animate")).to_be_in_viewport()
    expect(phone.locator("#status")).to_be_in_viewport(ratio=1)


def test_a_key_held_down_is_undone_at_once(page: Page, server: Server) -> None:
    """However often it repeats, what was done before stays within reach."""
    open_sample(page, server)
    hand, foot = place_of(page, "left_hand"), place_of(page, "right_foot")
    nudge(page, "right_foot", "ArrowUp")
    page.locator("[data-joint=left_hand]").focus()
    for _ in range(40):
        page.keyboard.down("ArrowLeft")
    page.keyboard.up("ArrowLeft")
    assert place_of(page, "left_hand") != hand
    page.click("#undo")
    assert (place_of(page, "left_hand"), place_of(page, "right_foot") == foot) == (hand, False)
    page.click("#undo")
    assert place_of(page, "right_foot") == foot


def test_the_focus_is_never_lost(page: Page, server: Server) -> None:
    """Where a button goes or can do no more, who was on it is where it goes on."""
    open_sample(page, server)
    has_focus(page, "#figure-title")
    nudge(page, "nose", "ArrowUp")
    page.locator("#undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_be_disabled()
    has_focus(page, "#undo")
    page.keyboard.press("Enter")
    choose_motions(page, "dab")
    page.locator("#animate").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results figure")).to_have_count(1)
    has_focus(page, "#animate")
    page.locator("#another").focus()
    page.keyboard.press("Enter")
    has_focus(page, "#file")


def test_joints_that_cannot_be_moved_cannot_be_reached(page: Page, server: Server) -> None:
    """While the outline is painted they are only faintly seen."""
    open_sample(page, server)
    before = place_of(page, "nose")
    page.click("text=Take away")
    page.locator("[data-joint=nose]").evaluate("joint => joint.focus()")
    page.keyboard.press("ArrowUp")
    assert place_of(page, "nose") == before


def test_what_is_shown_is_told(page: Page, server: Server) -> None:
    """That the animations are there, and what each is, films too."""
    open_sample(page, server)
    choose_motions(page, "dab")
    page.select_option("[name=format]", "mp4")
    animate(page, 1)
    expect(page.get_by_role("status")).to_have_text("It moves.")
    expect(page.get_by_label("The drawing, dab")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Save dab$"))).to_be_visible()
    assert page.locator("video").evaluate("film => film.controls && !film.paused")


def test_a_drag_ends_where_its_drawing_does(page: Page, server: Server) -> None:
    """Another drawing that comes meanwhile has joints of its own."""
    open_sample(page, server)
    x, y = centre_of(page, "[data-joint=left_hand]")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 20, y)
    open_second(page)
    before = place_of(page, "left_hand")
    page.mouse.move(x - 200, y)
    page.mouse.up()
    assert place_of(page, "left_hand") == before


def test_joints_and_tools_are_seen_in_forced_colours(page: Page, server: Server) -> None:
    """Where a high contrast is wished for, what is only drawn as a background is left out by default."""
    page.emulate_media(forced_colors="active")
    open_sample(page, server)
    assert (
        page.locator("[data-joint=nose]").evaluate("nose => getComputedStyle(nose).backgroundImage") != "none"
    )
    borders = page.locator("#tools label > span").evaluate_all(
        "tools => tools.map((tool) => getComputedStyle(tool).borderColor)"
    )
    assert borders[0] != borders[1]


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_page_glides_only_for_those_who_like_it(page: Page, server: Server, motion: str) -> None:
    page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    page.goto(server.url)
    behaviour = page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
    assert behaviour == {"reduce": "auto", "no-preference": "smooth"}[motion]
