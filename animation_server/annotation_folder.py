"""What `animation-server annotate` writes: a character folder and where the figure was found."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from animation_server.annotate import Annotation
from animation_server.character import Character, write_character, write_png

LEFT, RIGHT, MIDDLE = (226, 122, 34), (46, 94, 214), (60, 160, 60)
"""BGR of the character's own left, right and middle in an overlay."""


def write_annotation(annotation: Annotation, folder: Path) -> None:
    """Write char_cfg.yaml, texture.png, mask.png, bounding_box.yaml, annotations.json, joint_overlay.png.

    The folder is made where it is missing; files appear whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".annotation-") as scratch:
        made = Path(scratch)
        write_character(annotation.character, made)
        left, top, right, bottom = annotation.bbox_xyxy
        box = {
            "left": math.floor(left),
            "top": math.floor(top),
            "right": math.ceil(right),
            "bottom": math.ceil(bottom),
        }
        (made / "bounding_box.yaml").write_text(yaml.safe_dump(box, sort_keys=False), encoding="utf-8")
        text = json.dumps(annotation.to_json(), indent=2)
        (made / "annotations.json").write_text(text + "\n", encoding="utf-8")
        write_png(made / "joint_overlay.png", draw_overlay(annotation.character))
        for file in made.iterdir():
            file.replace(folder / file.name)


def draw_overlay(character: Character) -> NDArray[np.uint8]:
    """Draw mask outline, bones and joints over the texture; (H, W, 3) uint8 BGR."""
    picture = cv2.cvtColor(character.texture, cv2.COLOR_RGB2BGR)
    faded = (0.55 * picture + 0.45 * 255).astype(np.uint8)
    picture = np.where(character.mask[..., None], picture, faded)
    outline, _ = cv2.findContours(character.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    side = max(picture.shape[:2])
    thin, radius = max(1, side // 300), max(3, side // 90)
    cv2.drawContours(picture, outline, -1, (200, 0, 200), thin, cv2.LINE_AA)
    skeleton = character.skeleton
    points = np.rint(skeleton.joints_px).astype(int).tolist()
    for joint, parent in enumerate(skeleton.parents.tolist()):
        if parent >= 0:
            cv2.line(
                picture, points[parent], points[joint], _colour(skeleton.names[joint]), 2 * thin, cv2.LINE_AA
            )
    for name, point in zip(skeleton.names, points, strict=True):
        cv2.circle(picture, point, radius, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, point, radius - 1, _colour(name), -1, cv2.LINE_AA)
    return picture.astype(np.uint8)


def _colour(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE
