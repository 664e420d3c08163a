"""What a training example consists of.

Image frame: x right, y down, continuous pixels, the centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

KEYPOINTS: tuple[str, ...] = (
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hand", "right_hand",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_foot", "right_foot",
)  # fmt: skip
"""Left and right are the character's own: a figure that faces us has its left hand at the image's right."""

ARMS, LEGS = ("left_arm", "right_arm"), ("left_leg", "right_leg")
PARTS: tuple[str, ...] = ("torso", "head", *ARMS, *LEGS, "belongings")
"""Hands and feet belong to their limbs, hair and hat to the head, a skirt to the torso."""


@dataclass(frozen=True)
class Figure:
    """Labels of one figure.

    keypoints : (13, 2) float32, x, y in image pixels, in the order of KEYPOINTS.
    present : (13,) bool, False for joints that were not drawn (a missing limb) or lie outside the image.
    mask : (H, W) bool, the whole figure: hair, hat, hands, feet and what it holds; outlined parts are filled.
    parts : (H, W) uint8, 1 + the index in PARTS of what is in front there, 0 outside of the mask.
    bbox_xyxy : (4,) float32, tight around the mask.
    """

    keypoints: NDArray[np.float32]
    present: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    parts: NDArray[np.uint8]
    bbox_xyxy: NDArray[np.float32]


@dataclass(frozen=True)
class Sheet:
    """A picture and its figures.

    image : (H, W, 3) uint8 RGB, the longer side as asked for. figures : may be empty.
    """

    image: NDArray[np.uint8]
    figures: tuple[Figure, ...]


def label_figure(
    keypoints_px: NDArray[np.float64],
    visible: NDArray[np.bool_],
    coverage: NDArray[np.uint8],
    parts: NDArray[np.uint8],
) -> Figure | None:
    """Labels from joints (13, 2), what of them was drawn (13,), a mask's coverage and the parts (H, W).

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
    return Figure(keypoints_px.astype(np.float32), visible & inside, mask, _spread(parts, mask, bbox), bbox)


def _spread(
    parts: NDArray[np.uint8], mask: NDArray[np.bool_], bbox: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Give every pixel of the mask a part, the nearest where none was drawn, and no other pixel any."""
    left, top, right, bottom = bbox.astype(int).tolist()
    inside = parts[top:bottom, left:right]
    result = np.zeros_like(parts)
    if not inside.any():
        result[mask] = 1
        return result
    _, nearest = cv2.distanceTransformWithLabels(
        (inside == 0).astype(np.uint8), cv2.DIST_L1, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    drawn = inside > 0
    part_of = np.zeros(int(nearest.max()) + 1, np.uint8)
    part_of[nearest[drawn]] = inside[drawn]
    result[top:bottom, left:right] = np.where(mask[top:bottom, left:right], part_of[nearest], 0)
    return result
