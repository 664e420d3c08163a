"""Masks as run lengths, the way COCO writes them uncompressed.

{"size": [H, W], "counts": [n0, n1, ...]}: column by column, top to bottom; n0 pixels off, n1 on, n2 off, ...
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def decode_rle(counts: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode run lengths into an (H, W) bool mask.

    counts : lengths of runs in column-major order, the first one off. size : H, W.
    Raises ValueError where the runs do not fill the mask exactly.
    """
    height, width = size
    runs = np.asarray(counts, dtype=np.int64)
    if height < 1 or width < 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"run lengths: expected a sum of {height} x {width}, came {int(runs.sum())}")
    values = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape((height, width), order="F"))
