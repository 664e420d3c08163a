"""The README tells the truth."""

from __future__ import annotations

import re

from animation_server.settings import settings_table_markdown
from tests.places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_codes() -> None:
    """Every setting, its default and its help stand in the docs as in the code."""
    written = SETTINGS.split("<!-- settings -->")[1].split("<!-- /settings -->")[0].strip()
    assert written == settings_table_markdown().strip()


def test_every_make_target_named_exists() -> None:
    """`make X` in the README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= targets


def test_every_link_into_the_repository_leads_somewhere() -> None:
    """Pictures and pages that the README points at are there."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
