"""A figure drawn by code: what the service tries itself on before the first request comes."""

from __future__ import annotations

import cv2
import numpy as np

from animation_server.character import Character, humanoid_skeleton
from animation_server.drawing import Drawing

WIDTH, HEIGHT = 240, 320
_JOINTS_PX = {
    "nose": (120, 50), "left_shoulder": (150, 100), "right_shoulder": (90, 100), "left_elbow": (190, 110),
    "right_elbow": (50, 110), "left_hand": (224, 120), "right_hand": (16, 120), "left_hip": (140, 180),
    "right_hip": (100, 180), "left_knee": (144, 240), "right_knee": (96, 240), "left_foot": (148, 304),
    "right_foot": (92, 304),
}  # fmt: skip
_PAPER, _INK = 240, 40


def sample_character() -> Character:
    """Make a character: a body with a head and four limbs."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for point in _JOINTS_PX.values():
        cv2.line(mask, (WIDTH // 2, 140), point, 1, 24)
    texture = np.full((HEIGHT, WIDTH, 3), _PAPER, dtype=np.uint8)
    outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(texture, outline, -1, (_INK, _INK, _INK), 4)
    joints = {name: (float(x), float(y)) for name, (x, y) in _JOINTS_PX.items()}
    return Character(texture, mask.astype(bool), humanoid_skeleton(joints))


def sample_drawing() -> Drawing:
    """Put the character on a sheet of paper."""
    sheet = cv2.copyMakeBorder(
        sample_character().texture, 80, 80, 80, 80, cv2.BORDER_CONSTANT, value=(_PAPER, _PAPER, _PAPER)
    ).astype(np.uint8)
    return Drawing(sheet, sheet.shape[1], sheet.shape[0])
