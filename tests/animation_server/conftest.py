"""S3 for the tests that ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.moto_bucket import moto_bucket


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 finds credentials in the environment, and nothing else of this machine's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server of moto's, with our bucket in it."""
    with moto_bucket() as url:
        yield url
