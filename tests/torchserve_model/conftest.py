"""What the tests of the models share."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Compute on one thread: networks this small lose more by waiting for each other than they win."""
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
