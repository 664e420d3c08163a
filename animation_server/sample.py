"""A figure drawn by code, in felt-tip colours: what the service warms up with and shows motions with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.character import Character, humanoid_skeleton
from animation_server.drawing import Drawing

WIDTH, HEIGHT = 300, 380
_JOINTS_PX = {
    "nose": (150, 78), "left_shoulder": (182, 150), "right_shoulder": (118, 150), "left_elbow": (224, 158),
    "right_elbow": (76, 158), "left_hand": (270, 162), "right_hand": (30, 162), "left_hip": (168, 236),
    "right_hip": (132, 236), "left_knee": (172, 290), "right_knee": (128, 290), "left_foot": (176, 346),
    "right_foot": (124, 346),
}  # fmt: skip
_INK = (45, 45, 60)
_SKIN, _SHIRT, _TROUSERS, _SHOE = (250, 205, 165), (240, 110, 70), (70, 120, 200), (110, 80, 70)
_PAPER = 255
_LINE = 5
_SHARP = 4
"""Drawn that much larger, for smooth edges."""
_MARGIN = 80


def sample_character() -> Character:
    """Make the character: head, shirt, trousers, hands and shoes."""
    picture = np.full((HEIGHT * _SHARP, WIDTH * _SHARP, 3), _PAPER, np.uint8)
    mask = np.zeros(picture.shape[:2], np.uint8)
    for side in ("left", "right"):
        hip, knee, foot = (_JOINTS_PX[f"{side}_{name}"] for name in ("hip", "knee", "foot"))
        out = 8 if side == "left" else -8
        _stroke(picture, mask, [foot, (foot[0] + out, foot[1] + 4)], 26, _SHOE)
        _stroke(picture, mask, [hip, knee, (foot[0], foot[1] - 14)], 26, _TROUSERS)
        shoulder, elbow, hand = (_JOINTS_PX[f"{side}_{name}"] for name in ("shoulder", "elbow", "hand"))
        _stroke(picture, mask, [hand, hand], 30, _SKIN)
        _stroke(picture, mask, [shoulder, elbow, ((elbow[0] + hand[0]) // 2 + out, hand[1])], 24, _SHIRT)
    _stroke(picture, mask, [(136, 236), (164, 236)], 40, _TROUSERS)
    _stroke(picture, mask, [(134, 160), (166, 160), (166, 215), (134, 215), (134, 160)], 34, _SHIRT)
    cv2.rectangle(picture, _larger((134, 160)), _larger((166, 215)), _SHIRT, -1)
    _stroke(picture, mask, [(150, 78), (150, 78)], 116, _SKIN)
    for x in (132, 168):
        cv2.circle(picture, _larger((x, 70)), 5 * _SHARP, _INK, -1)
    cv2.ellipse(picture, _larger((150, 86)), (24 * _SHARP, 18 * _SHARP), 0, 20, 160, _INK, 4 * _SHARP)
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    figure = cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) > 127
    joints = {name: (float(x), float(y)) for name, (x, y) in _JOINTS_PX.items()}
    return Character(small, figure, humanoid_skeleton(joints))


def sample_drawing() -> Drawing:
    """Put the character on a sheet of paper."""
    border = ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
    sheet = np.pad(sample_character().texture, border, constant_values=_PAPER)
    return Drawing(sheet, sheet.shape[1], sheet.shape[0])


def _stroke(
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    points: list[tuple[int, int]],
    thickness: int,
    colour: tuple[int, int, int],
) -> None:
    """Draw a rounded stroke with an outline around it."""
    line = np.array([_larger(point) for point in points], np.int32)
    for image, fill, width in (
        (mask, (255,), thickness + 2 * _LINE),
        (picture, _INK, thickness + 2 * _LINE),
        (picture, colour, thickness),
    ):
        cv2.polylines(image, [line], False, fill, width * _SHARP)
        for point in line.tolist():
            cv2.circle(image, point, width * _SHARP // 2, fill, -1)


def _larger(point: tuple[int, int]) -> tuple[int, int]:
    return point[0] * _SHARP, point[1] * _SHARP
