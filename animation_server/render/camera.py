"""From the world to the picture.

World frame: x right, y up, z toward the viewer. Picture frame: x right, y down, in pixels, the upper left
corner at (0, 0); the centre of the first pixel is therefore at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from animation_server.errors import InputError

_FIELD_OF_VIEW_DEG = 35.0
"""Vertical field of view of AnimatedDrawings' camera."""


@dataclass(frozen=True)
class Camera:
    """A projective map from the world to a picture.

    matrix : (3, 4) float64; matrix @ (x, y, z, 1) is (w * column, w * row, w).
    width, height : size of the picture in pixels.
    """

    matrix: NDArray[np.float64]
    width: int
    height: int

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """World points (..., 3) to picture coordinates (..., 2) x, y."""
        world = np.asarray(points, dtype=np.float64)
        projected = world @ self.matrix[:, :3].T + self.matrix[:, 3]
        result: NDArray[np.float64] = projected[..., :2] / projected[..., 2:]
        return result

    def depth(self, points: ArrayLike) -> NDArray[np.float64]:
        """How far (...) before the camera world points (..., 3) lie; one everywhere without perspective."""
        world = np.asarray(points, dtype=np.float64)
        result: NDArray[np.float64] = world @ self.matrix[2, :3] + self.matrix[2, 3]
        return result

    def pixels_per_unit(self, point: ArrayLike) -> float:
        """How many pixels one world unit upright at a world point (3) takes."""
        at = np.asarray(point, dtype=np.float64)
        ends = self.project([at, at + np.array([0.0, 1e-3, 0.0])])
        return float(np.linalg.norm(ends[1] - ends[0]) * 1e3)


def fitting_camera(low: ArrayLike, high: ArrayLike, width: int, height: int, margin: float = 0.04) -> Camera:
    """A camera without perspective that shows a box of the world, centred and as large as it goes.

    low, high : (2) lower and upper corner x, y of what must stay in view, world units.
    margin : share of the picture's smaller side left free all round.
    """
    lower, upper = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    extent = np.maximum(upper - lower, 1e-6)
    free = np.array([width, height]) - 2.0 * margin * min(width, height)
    scale = float((free / extent).min())
    centre = (lower + upper) / 2.0
    matrix = np.array(
        [
            [scale, 0.0, 0.0, width / 2.0 - scale * centre[0]],
            [0.0, -scale, 0.0, height / 2.0 + scale * centre[1]],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    return Camera(matrix, width, height)


def perspective_camera(position: ArrayLike, forward: ArrayLike, width: int, height: int) -> Camera:
    """AnimatedDrawings' camera.

    position : (3) world. forward : (3) world; it points out of the camera's back. Raises InputError for
    one that is zero or upright, for which no picture has an upper edge.
    """
    eye, back = np.asarray(position, dtype=np.float64), np.asarray(forward, dtype=np.float64)
    right = np.cross([0.0, 1.0, 0.0], back)
    if np.linalg.norm(right) < 1e-9:
        raise InputError(f"camera: want a forward vector that is not upright, got {back.tolist()}")
    right /= np.linalg.norm(right)
    back = back / np.linalg.norm(back)
    up = np.cross(back, right)
    rotation = np.stack((right, up, back))  # world to camera
    focal = height / 2.0 / np.tan(np.radians(_FIELD_OF_VIEW_DEG) / 2.0)
    # the camera looks down its -z, and rows count downwards
    intrinsic = np.array([[focal, 0.0, -width / 2.0], [0.0, -focal, -height / 2.0], [0.0, 0.0, -1.0]])
    return Camera(intrinsic @ np.column_stack((rotation, -rotation @ eye)), width, height)
