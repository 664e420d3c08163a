"""What all tests share: a clean environment, and the slow ones last."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Their assertions, too, tell what came; pytest must know before it imports them.
pytest.register_assert_rewrite(
    "tests.app_client",
    "tests.bvh_clips",
    "tests.fakes",
    "tests.inference_contract",
    "tests.job_records",
    "tests.parts",
)

from tests.fake_torchserve import FakeTorchServe, fake_torchserve  # noqa: E402
from tests.fakes import FigureClient  # noqa: E402
from tests.parts.pod import MODEL_STORE  # noqa: E402
from tests.parts.torchserve import TorchServe, torchserve  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow tests last, so that plain mistakes show within seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session", name="torchserve")
def _torchserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """The real TorchServe with our archives, one for all tests that leave it as it was."""
    if not any(MODEL_STORE.glob("*.mar")):
        pytest.skip("needs the model archives: make archives")
    with torchserve(MODEL_STORE, tmp_path_factory.mktemp("torchserve")) as running:
        yield running


@pytest.fixture(scope="module", name="models")
def _models() -> Iterator[FakeTorchServe]:
    """A stand-in for TorchServe that knows the tests' figure, for servers in processes of their own."""
    with fake_torchserve(FigureClient()) as fake:
        yield fake


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in os.environ:
        if name.startswith(("ANIMATION_", "AWS_")):
            monkeypatch.delenv(name)
