"""What jobs need: records of either kind, and the site that they come to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from animation_server.jobs.records import JobRecords, MemoryRecords
from animation_server.jobs.redis_records import RedisRecords
from tests.parts import redis as redis_part
from tests.parts.redis import redis_server
from tests.parts.site import Site, running_site


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis for the tests of one module."""
    if redis_part.MISSING:
        pytest.skip(redis_part.MISSING)
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["memory", "redis"])
def records(request: pytest.FixtureRequest) -> Iterator[JobRecords]:
    """Either kind of records."""
    kept: JobRecords
    if request.param == "memory":
        kept = MemoryRecords(60)
    else:
        kept = RedisRecords(request.getfixturevalue("redis_url"), 60)
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All parts, running, but for workers."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site
