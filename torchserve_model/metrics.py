"""How close predictions are to the truth; plain arrays in, plain numbers out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchserve_model.predictor import overlaps


def keypoint_errors(
    found: NDArray[np.floating], true: NDArray[np.floating], scale: float
) -> NDArray[np.float64]:
    """(K, 2) points against (K, 2): distances as a part of `scale`, the longer side of the figure's box."""
    distances = np.linalg.norm(np.asarray(found, np.float64) - np.asarray(true, np.float64), axis=-1)
    return np.asarray(distances / scale, dtype=np.float64)


def mask_iou(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union of two (H, W) masks; 1 when both are empty."""
    union = int((found | true).sum())
    return float((found & true).sum() / union) if union else 1.0


def match_boxes(found: NDArray[np.floating], true: NDArray[np.floating]) -> list[tuple[int, int, float]]:
    """Pair (N, 4) boxes, best first, each with the free one of (M, 4) true boxes that it overlaps most.

    Returns (found, true, IoU) triples with an IoU above one half.
    """
    pairs: list[tuple[int, int, float]] = []
    free = list(range(len(true)))
    for index, box in enumerate(np.asarray(found, dtype=np.float64)):
        if not free:
            break
        iou, _ = overlaps(box, np.asarray(true, dtype=np.float64)[free])
        best = int(np.argmax(iou))
        if iou[best] > 0.5:
            pairs.append((index, free.pop(best), float(iou[best])))
    return pairs


def cut(found: NDArray[np.floating], true: NDArray[np.floating], tolerance: float = 0.02) -> bool:
    """Whether a (4,) box leaves out more than `tolerance` of the true box's longer side on any side."""
    longer = max(true[2] - true[0], true[3] - true[1])
    left_out = max(found[0] - true[0], found[1] - true[1], true[2] - found[2], true[3] - found[3])
    return bool(left_out > tolerance * longer)
