"""The site that jobs come to, one for every module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.site import Site, running_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All parts, running, but for workers."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site
