"""What is varied after a drawing was made: mirroring and colour. Pose and box jitter are the generator's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis.sample import KEYPOINTS


def flip_order(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each keypoint, the index of the one it becomes in a mirror: left and right change places."""

    def mirrored(name: str) -> str:
        side, _, part = name.partition("_")
        return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)

    return tuple(names.index(mirrored(name)) for name in names)


FLIP_ORDER = flip_order(KEYPOINTS)


def jitter_colour(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Vary white balance, exposure, contrast and gamma of an (H, W, 3) uint8 image; now and then grey it."""
    levels = np.linspace(0.0, 1.0, 256)
    gain = rng.normal(1.0, 0.06, size=3) * rng.normal(1.0, 0.08)
    gamma = np.exp(rng.normal(0.0, 0.12))
    contrast = rng.normal(1.0, 0.1)
    curves = ((levels[:, None] ** gamma - 0.5) * contrast + 0.5) * gain  # (256, 3)
    table = np.clip(curves * 255.0, 0.0, 255.0).astype(np.uint8)
    varied = np.asarray(cv2.LUT(image, table[None]), dtype=np.uint8)
    if rng.random() < 0.15:
        return np.asarray(
            cv2.cvtColor(cv2.cvtColor(varied, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8
        )
    return varied
