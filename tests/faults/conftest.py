"""One stand for all faults: starting it takes longer than most tests do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.pod import MODEL_STORE
from tests.parts.stand import Stand, running_stand


@pytest.fixture(scope="session", name="stand")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if not any(MODEL_STORE.glob("*.mar")):
        pytest.skip("needs the model archives: make archives")
    with running_stand(tmp_path_factory.mktemp("stand")) as stand:
        yield stand
