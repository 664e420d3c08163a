"""The server and the browser of the studio's tests: one for each file, with a fresh profile for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.animation_server.studio.driving import PATIENCE_MS
from tests.parts.chromium import chromium
from tests.parts.server import Server, animation_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with animation_server(tmp_path_factory.mktemp("studio"), {}) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of a fresh profile; fails where the page made a mistake, or broke its own policy."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    mistakes: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # What Chromium itself logs of answers like 401, and of storage without CORS rules, is no mistake.
        if message.type == "error" and not message.text.startswith(("Failed to load", "Access to image")):
            mistakes.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    yield page
    context.close()
    assert not mistakes
