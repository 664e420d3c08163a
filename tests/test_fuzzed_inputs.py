"""Every input that fuzzing starts from or has ever found."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.targets import TARGETS
from tests.places import ROOT

FUZZ = ROOT / "fuzz"
INPUTS = sorted(path for kind in ("corpus", "failures") for path in (FUZZ / kind).glob("*/*"))


def test_every_target_has_inputs() -> None:
    """A target without seeds would be fuzzed from nothing; inputs without a target not at all."""
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name[:18]}")
def test_keeps_its_promise(path: Path) -> None:
    """It is read, or refused with the error that the documentation names."""
    TARGETS[path.parent.name](path.read_bytes())
