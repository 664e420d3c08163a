"""Run lengths of masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from animation_server.inference.rle import decode_rle
from torchserve_model.rle import encode


def test_runs_go_down_the_columns_and_start_with_zeros() -> None:
    """The layout is COCO's, by hand."""
    mask = decode_rle([1, 3, 2], (2, 3))
    np.testing.assert_array_equal(mask, [[False, True, False], [True, True, False]])


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_decodes_what_the_models_encode(mask: np.ndarray) -> None:
    """Both sides of the contract agree on every mask."""
    rle = encode(mask)
    np.testing.assert_array_equal(decode_rle(rle["counts"], (rle["size"][0], rle["size"][1])), mask)


@pytest.mark.parametrize(
    ("counts", "size"), [([5], (2, 3)), ([7], (2, 3)), ([-1, 7], (2, 3)), ([], (2, 3)), ([0], (0, 3))]
)
def test_refuses_runs_that_do_not_fill_the_mask(counts: list[int], size: tuple[int, int]) -> None:
    """Too many, too few or negative pixels."""
    with pytest.raises(ValueError, match="run lengths"):
        decode_rle(counts, size)
