"""Make docs/studio.png, the README's picture of the studio: python -m docs.make_studio_picture."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.parts.chromium import chromium
from tests.parts.server import animation_server
from tests.places import SAMPLE

PICTURE = Path(__file__).with_name("studio.png")
MOVED_MS = 1500
"""When the animations are well under way."""


def main() -> None:
    """Open the sample drawing in the studio, animate it, and take a picture."""
    with (
        tempfile.TemporaryDirectory(prefix="studio-") as home,
        animation_server(Path(home), {}) as server,
        chromium() as browser,
    ):
        page = browser.new_page(viewport={"width": 1200, "height": 830})
        page.goto(server.url)
        page.set_input_files("#file", SAMPLE)
        page.click("#animate")
        page.wait_for_selector("#results img")
        page.wait_for_timeout(MOVED_MS)
        page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
