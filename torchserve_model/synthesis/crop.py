"""Crops of one figure, as the pose network meets them: cut out by a box that a detector might have given."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import photograph
from torchserve_model.synthesis.canvas import Canvas
from torchserve_model.synthesis.clutter import draw_around
from torchserve_model.synthesis.figure import DrawnFigure, draw_figure
from torchserve_model.synthesis.finish import finish, sample_style
from torchserve_model.synthesis.labels import Sheet, label_figure

Matrix = NDArray[np.float64]

_MARGIN = 0.06
_MARGIN_DEVIATION = 0.05


def draw_crop(rng: np.random.Generator, size: int = 192) -> Sheet:
    """One figure that about fills the picture, cut out by a box that is off by up to a tenth.

    The longer side is `size` pixels. Neighbours and clutter may reach in; only the one figure is labelled.
    """
    style = sample_style(rng)
    drawn = draw_figure(rng, style.mix, style.medium)
    bent = photograph.view(rng, 1) if style.kind == "photo" else np.eye(3)
    to_window, (width, height) = _window(rng, drawn, bent, size)
    place = to_window if style.kind != "photo" else _similar(drawn, size)
    warp = to_window @ bent @ np.linalg.inv(place) if style.kind == "photo" else np.eye(3)
    scale, offset = float(place[0, 0]), place[:2, 2]

    canvas = Canvas(size)
    draw_around(rng, canvas, style, drawn, scale, offset)
    canvas.draw(drawn.marks, scale, offset)
    coverage = canvas.mask(drawn.marks, scale, offset)
    ink = canvas.ink()
    joints = cv2.perspectiveTransform((drawn.joints * scale + offset)[None], warp)[0]
    page = None
    if style.kind == "photo":
        ink = photograph.warp(ink, warp, (255, 255, 255))
        coverage = photograph.warp(coverage, warp)
        page = _page_corners(rng, width, height)
    image = finish(rng, style, ink, warp, page)
    figure = label_figure(joints, drawn.visible, np.ascontiguousarray(coverage[:height, :width]))
    if figure is None:
        return draw_crop(rng, size)
    return Sheet(np.ascontiguousarray(image[:height, :width]), (figure,))


def _outline_points(drawn: DrawnFigure) -> NDArray[np.float64]:
    return np.concatenate([
        mark.points + side for mark in drawn.marks if mark.in_mask for side in (-mark.width / 2, mark.width / 2)
    ])  # fmt: skip


def _window(
    rng: np.random.Generator, drawn: DrawnFigure, bent: Matrix, size: int
) -> tuple[Matrix, tuple[int, int]]:
    """The similarity from the (tilted) figure frame to the crop, and the crop's width and height in pixels."""
    points = cv2.perspectiveTransform(_outline_points(drawn)[None], bent)[0]
    low, high = points.min(axis=0), points.max(axis=0)
    margins = np.clip(_MARGIN + _MARGIN_DEVIATION * rng.normal(size=(2, 2)), -0.05, 0.2) * (high - low).max()
    low, high = low - margins[0], high + margins[1]
    scale = size / float((high - low).max())
    width, height = np.ceil((high - low) * scale - 1e-6).astype(int).clip(8, size).tolist()
    matrix = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale], [0, 0, 1.0]])
    return matrix, (width, height)


def _similar(drawn: DrawnFigure, size: int) -> Matrix:
    """Figure units to a page on which the figure has the size that it will have in the crop, and room about it."""
    points = _outline_points(drawn)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 0.88 * size / float((high - low).max())
    offset = size / 2 - (low + high) / 2 * scale
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]], [0, 0, 1.0]])


def _page_corners(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64] | None:
    """Now and then an edge of the sheet shows at a side of the crop."""
    if rng.random() >= 0.22:
        return None
    far = 3.0 * max(width, height)
    left, top, right, bottom = -far, -far, far + width, far + height
    inside = rng.uniform(-0.02, 0.045, 4) * max(width, height)
    shown = rng.random(4) < 0.35
    left, top = (inside[0] if shown[0] else left), (inside[1] if shown[1] else top)
    right, bottom = (width - inside[2] if shown[2] else right), (height - inside[3] if shown[3] else bottom)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return np.asarray(corners + rng.normal(0, 0.01, (4, 2)) * max(width, height), dtype=np.float64)
