"""What all tests share: a clean environment, and the slow ones last."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow tests last, so that plain mistakes show within seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in os.environ:
        if name.startswith(("ANIMATION_", "AWS_")):
            monkeypatch.delenv(name)
