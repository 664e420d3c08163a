"""COCO's uncompressed run-length encoding of masks."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class Rle(TypedDict):
    """A mask: size is [height, width], counts the lengths of runs down the columns, the first of zeros."""

    size: list[int]
    counts: list[int]


def encode(mask: NDArray[np.bool_]) -> Rle:
    """Encode an (H, W) bool mask; the first count is 0 when the top left pixel is set."""
    if mask.ndim != 2:
        raise ValueError(f"mask: want (H, W), got shape {mask.shape}")
    column_major = np.asarray(mask, dtype=bool).T.ravel()
    starts_set = column_major[:1].tolist() == [True]
    edges = np.flatnonzero(column_major[1:] != column_major[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [column_major.size]])).tolist()
    return {
        "size": [int(mask.shape[0]), int(mask.shape[1])],
        "counts": [0, *counts] if starts_set else counts,
    }
