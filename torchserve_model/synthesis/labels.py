"""What a training example consists of.

Image frame: x right, y down, continuous pixels, the centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KEYPOINTS: tuple[str, ...] = (
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hand", "right_hand",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_foot", "right_foot",
)  # fmt: skip
"""Left and right are the character's own: a figure that faces us has its left hand at the image's right."""


@dataclass(frozen=True)
class Figure:
    """Labels of one figure.

    keypoints : (13, 2) float32, x, y in image pixels, in the order of KEYPOINTS.
    present : (13,) bool, False for joints that were not drawn (a missing limb) or lie outside the image.
    mask : (H, W) bool, the whole figure: hair, hat, hands, feet and what it holds; outlined parts are filled.
    bbox_xyxy : (4,) float32, tight around the mask.
    """

    keypoints: NDArray[np.float32]
    present: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    bbox_xyxy: NDArray[np.float32]


@dataclass(frozen=True)
class Sheet:
    """A picture and its figures.

    image : (H, W, 3) uint8 RGB, the longer side as asked for. figures : may be empty.
    """

    image: NDArray[np.uint8]
    figures: tuple[Figure, ...]


def label_figure(
    keypoints_px: NDArray[np.float64], visible: NDArray[np.bool_], coverage: NDArray[np.uint8]
) -> Figure | None:
    """Labels from joints (13, 2), what of them was drawn (13,), and a mask's coverage (H, W) of 0 to 255.

    None when nothing of the figure lies in the picture. A quarter of a pixel's area makes it mask:
    thin lines would otherwise vanish from it.
    """
    mask = coverage > 100
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) < 4 or len(columns) < 2:
        return None
    height, width = mask.shape
    inside = ((keypoints_px >= 0) & (keypoints_px <= (width, height))).all(axis=1)
    bbox = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
    return Figure(keypoints_px.astype(np.float32), visible & inside, mask, bbox)
