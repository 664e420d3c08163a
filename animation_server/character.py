"""A character: what a drawing becomes once it is annotated. Reads and writes AnimatedDrawings' folders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CharacterSkeleton:
    """Joints of a drawn figure in its rest pose.

    names : J joint names, depth first; the first is "root".
    parents : (J,) int64, index of the parent, -1 for the root.
    joints_px : (J, 2) float64, x (column), y (row, down) in texture pixels.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    joints_px: NDArray[np.float64]


@dataclass(frozen=True)
class Character:
    """A figure cut out of its drawing.

    texture : (H, W, 3) uint8 RGB, the crop of the drawing around the figure.
    mask : (H, W) bool, True on the figure.
    skeleton : joints in texture pixels.
    """

    texture: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    skeleton: CharacterSkeleton
