"""Small drawings made for tests, with everything about them known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

KEYPOINTS = {
    "nose": (150, 60),
    "left_shoulder": (185, 115), "right_shoulder": (115, 115),
    "left_elbow": (225, 130), "right_elbow": (75, 130),
    "left_hand": (265, 145), "right_hand": (35, 145),
    "left_hip": (170, 220), "right_hip": (130, 220),
    "left_knee": (180, 275), "right_knee": (120, 275),
    "left_foot": (190, 330), "right_foot": (110, 330),
}  # fmt: skip
LIMBS = (
    ("left_shoulder", "left_elbow", "left_hand"), ("right_shoulder", "right_elbow", "right_hand"),
    ("left_hip", "left_knee", "left_foot"), ("right_hip", "right_knee", "right_foot"),
)  # fmt: skip
SIZE = (300, 380)
PAPER, INK = (246, 244, 238), (40, 40, 60)


@dataclass(frozen=True)
class DrawnFigure:
    """A picture of one figure.

    rgb : (380, 300, 3) uint8. mask : (380, 300) bool. keypoints : the thirteen names -> (x, y).
    """

    rgb: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    keypoints: dict[str, tuple[float, float]]


def draw_figure(line: int = 3) -> DrawnFigure:
    """Draw a figure with an outlined head and body and stick limbs, facing us, on paper."""
    rgb = np.full((SIZE[1], SIZE[0], 3), PAPER, dtype=np.uint8)
    mask = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    for limb in LIMBS:
        points = np.array([KEYPOINTS[name] for name in limb], dtype=np.int32)
        cv2.polylines(rgb, [points], False, INK, line)
        cv2.polylines(mask, [points], False, 1, line)
    for canvas, colour, thickness in ((mask, 1, -1), (mask, 1, line), (rgb, INK, line)):
        cv2.rectangle(canvas, (110, 105), (190, 225), colour, thickness)
        cv2.circle(canvas, (150, 60), 45, colour, thickness)
    for x in (135, 165):
        cv2.circle(rgb, (x, 50), 4, INK, -1)
    return DrawnFigure(
        rgb, mask.astype(bool), {name: (float(x), float(y)) for name, (x, y) in KEYPOINTS.items()}
    )
