"""The figure's mask as meshing wants it: of bounded size, in one piece, thick enough, reaching the joints.

Working on a reduced copy makes effort and mesh independent of the photograph's size. What is added here (a
pixel all round, bridges to islands and joints) only carries the mesh: nothing is drawn there, for the
texture is transparent outside the true mask.

Image frame: x (column), y (row, down), a pixel's centre at whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from animation_server.rig.mask_topology import fill_small_holes, grow_keeping_gaps, join_islands

WORKING_SIZE = 256
"""Larger side of the working mask before padding, pixels."""

_PADDING = 6
"""Empty working pixels around the mask, so that an outline can be moved outwards everywhere."""

_LARGEST_HOLE_FILLED = 12
"""Working pixels. Larger holes are meant: the gap between an arm and the body, say."""

_LONGEST_OUTLINE = 6_000
"""Sides of working pixels, several times those of any figure. The mesh of what has more, noise or a fine
grid, would have many thousands of vertices.
"""


@dataclass(frozen=True)
class WorkingMask:
    """A mask at working size.

    pixels : (H', W') uint8, 1 on the figure; at least one pixel is set.
    scale : working pixels per texture pixel, at most 1.
    height, width : size of the texture.
    repairs : what had to be mended, one sentence each.
    """

    pixels: NDArray[np.uint8]
    scale: float
    height: int
    width: int
    repairs: tuple[str, ...]

    def from_texture(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) x, y in texture pixels to working pixels."""
        return (np.asarray(points_px, dtype=np.float64) + 0.5) * self.scale - 0.5 + _PADDING

    def to_texture(self, points_work: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) x, y in working pixels to texture pixels."""
        return (np.asarray(points_work, dtype=np.float64) - _PADDING + 0.5) / self.scale - 0.5

    def texture_area(self, pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The texture's pixels (H, W) that some working pixels (H', W') and their neighbours cover."""
        area = cv2.dilate(pixels.astype(np.uint8), np.ones((3, 3), np.uint8))[
            _PADDING:-_PADDING, _PADDING:-_PADDING
        ]
        return cv2.resize(area, (self.width, self.height), interpolation=cv2.INTER_NEAREST) > 0

    def contains(self, points_work: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n, 2) lie in the picture, border pixels left out."""
        limit = np.array(self.pixels.shape[::-1]) - 2
        with np.errstate(invalid="ignore"):
            inside = (points_work >= 1) & (points_work <= limit)
        return inside[:, 0] & inside[:, 1]


def make_working_mask(mask: NDArray[np.bool_], joints_px: ArrayLike) -> WorkingMask:
    """Reduce and mend a figure's mask.

    mask : (H, W) bool, True on the figure. joints_px : (J, 2) x, y in texture pixels.

    Never fails on a two-dimensional mask: an empty one gives a rectangle around the joints. Raises
    ValueError on wrong shapes.
    """
    joints = np.asarray(joints_px, dtype=np.float64)
    if mask.ndim != 2 or 0 in mask.shape:
        raise ValueError(f"mask: want (H, W) with pixels, got {mask.shape}")
    if joints.ndim != 2 or joints.shape[1] != 2:
        raise ValueError(f"joints_px: want (J, 2), got {joints.shape}")
    height, width = mask.shape
    scale = min(1.0, WORKING_SIZE / max(height, width))
    pixels = mask.astype(np.uint8)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # a line one pixel wide covers only `scale` of a working pixel; half that is enough to keep it
        pixels = (cv2.resize(pixels * 255, size, interpolation=cv2.INTER_AREA) > 127 * scale).astype(np.uint8)
    pixels = np.pad(pixels, _PADDING)

    repairs: list[str] = []
    empty = WorkingMask(pixels, scale, height, width, ())
    joints_work = empty.from_texture(joints)
    inside = empty.contains(joints_work)
    if not inside.all():
        repairs.append(f"{np.count_nonzero(~inside)} joint(s) lie outside the picture and hold nothing.")
    if not pixels.any():
        repairs.append("The mask is empty; a rectangle around the joints takes its place.")
        corners = joints_work[inside] if inside.any() else np.array([pixels.shape[::-1]]) / 2
        low, high = corners.min(0).astype(int) - 1, corners.max(0).astype(int) + 2
        pixels[low[1] : high[1], low[0] : high[0]] = 1
    pixels = grow_keeping_gaps(fill_small_holes(pixels, _LARGEST_HOLE_FILLED))
    pixels, notes = join_islands(pixels, joints_work[inside])
    repairs.extend(notes)
    if _outline_length(pixels) > _LONGEST_OUTLINE:
        repairs.append("The mask is ragged; its narrow gaps and holes were closed.")
        pixels = _close_gaps(pixels)
    return WorkingMask(pixels, scale, height, width, tuple(repairs))


def _outline_length(pixels: NDArray[np.uint8]) -> int:
    return int(np.count_nonzero(np.diff(pixels, axis=0)) + np.count_nonzero(np.diff(pixels, axis=1)))


def _close_gaps(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill ever wider gaps, until the outline is short enough. Nothing is taken away."""
    size, closed = 3, pixels
    while _outline_length(closed) > _LONGEST_OUTLINE:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        # padded, for a closing that meets the border would fill what lies along it
        grown = cv2.morphologyEx(np.pad(pixels, size), cv2.MORPH_CLOSE, disc)
        closed = grown[size:-size, size:-size].astype(np.uint8)
        size = 2 * size + 1
    return closed
