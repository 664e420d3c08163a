"""What people do in the studio, for the tests to do it; and what the server then has."""

from __future__ import annotations

import io
import re
import time

import numpy as np
import requests
from PIL import Image, ImageOps
from playwright.sync_api import Page, Route, expect

from tests.parts.server import Server
from tests.places import SAMPLE

PATIENCE_MS = 30_000


def open_sample(page: Page, server: Server) -> str:
    """Open the sample drawing; returns its character's id."""
    page.goto(server.url)
    page.set_input_files("#file", SAMPLE)
    expect(page.locator("#joints button")).to_have_count(13, timeout=PATIENCE_MS)
    expect(page.locator("#tools [value=add]")).to_be_enabled(timeout=PATIENCE_MS)
    expect(page.locator("#status")).to_have_text("")
    return page.url.partition("#character=")[2]


def choose_motions(page: Page, *wanted: str) -> None:
    expect(page.locator("#motions input")).not_to_have_count(0)
    for box in page.locator("#motions input").all():
        box.set_checked(box.get_attribute("value") in wanted)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def centre_of(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def character(server: Server, name: str) -> dict[str, object]:
    answer = requests.get(f"{server.url}/v1/characters/{name}", timeout=30)
    assert answer.status_code == 200
    return dict(answer.json())


def mask_of(server: Server, name: str) -> np.ndarray:
    urls = character(server, name)["urls"]
    assert isinstance(urls, dict)
    png = requests.get(urls["mask"], timeout=30).content
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")) > 127


def animate(page: Page, count: int) -> None:
    page.click("#animate")
    expect(page.locator("#results figure")).to_have_count(count, timeout=PATIENCE_MS)


def choose_second(page: Page) -> None:
    """Choose another drawing, while the page shows or looks for one."""
    with Image.open(SAMPLE) as image, io.BytesIO() as file:
        ImageOps.mirror(image).save(file, "JPEG")
        buffer = file.getvalue()
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.set_input_files("#file", {"name": "second.jpg", "mimeType": "image/jpeg", "buffer": buffer})


def open_second(page: Page) -> None:
    """Choose it, and wait until it can be corrected."""
    choose_second(page)
    expect(page.locator("#tools [value=add]")).to_be_enabled(timeout=PATIENCE_MS)
    expect(page.locator("#status")).to_have_text("")


def hold(page: Page, path: str, method: str = "GET") -> list[Route]:
    """Hold back the first request whose address holds `path`; returns a list that it will be in."""
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held or route.request.method != method:
            route.fallback()
        else:
            held.append(route)

    page.route(re.compile(re.escape(path)), hold_first)
    return held


def wait_for(page: Page, held: list[Route]) -> Route:
    """Wait until a request is held back."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not held and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    return held[0]


def let_go(page: Page, held: list[Route]) -> None:
    """Let the held request through, and give the page the time to make something of its answer."""
    with page.expect_response(held[0].request.url):
        held[0].continue_()
    page.wait_for_timeout(500)


def nudge(page: Page, joint: str, *keys: str) -> None:
    page.locator(f"[data-joint={joint}]").focus()
    for key in keys:
        page.keyboard.press(key)


def place_of(page: Page, joint: str) -> str:
    """Where a joint is shown, as its style says it."""
    handle = page.locator(f"[data-joint={joint}]")
    return str(handle.evaluate("handle => `${handle.style.left} ${handle.style.top}`"))


def has_focus(page: Page, selector: str) -> None:
    expect(page.locator(selector)).to_be_focused()
