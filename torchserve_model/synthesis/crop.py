"""Crops of one figure, as the pose network meets them: cut out by a box that a detector might have given."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import photograph
from torchserve_model.synthesis.canvas import Canvas
from torchserve_model.synthesis.clutter import (
    draw_across,
    draw_around,
    fill_with_thing,
    fill_without_figures,
)
from torchserve_model.synthesis.figure import DrawnFigure, draw_figure
from torchserve_model.synthesis.finish import finish, sample_style
from torchserve_model.synthesis.labels import Sheet, label_figure

Image = NDArray[np.uint8]
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
    draw_across(rng, canvas, style, scale)
    coverage = canvas.mask(drawn.marks, scale, offset)
    parts = canvas.parts(drawn.marks, scale, offset)
    ink = canvas.ink()
    joints = cv2.perspectiveTransform((drawn.joints * scale + offset)[None], warp)[0]
    cover = None
    if style.kind == "photo":
        ink = photograph.warp(ink, warp, (255, 255, 255))
        coverage = photograph.warp(coverage, warp)
        parts = photograph.warp_labels(parts, warp)
        cover = _paper_cover(rng, coverage, width, height)
    image = finish(rng, style, ink, warp, np.array([width, height], dtype=np.float64), cover)
    if style.kind != "digital" and rng.random() < 0.08:
        image = _background_removed(rng, image, coverage)
    kept = np.s_[:height, :width]
    figure = label_figure(joints, drawn.visible, coverage[kept], parts[kept])
    if figure is None:
        return draw_crop(rng, size)
    return Sheet(np.ascontiguousarray(image[kept]), (figure,))


def draw_other_crop(rng: np.random.Generator, size: int = 192) -> Sheet:
    """What a detector may take for a figure and is none: a thing, scribbles or writing that fill the crop."""
    style = sample_style(rng)
    extent = np.array([size, size], dtype=np.float64)
    extent[int(rng.integers(2))] *= rng.uniform(0.4, 1.0)
    width, height = np.ceil(extent).astype(int).tolist()
    if rng.random() < 0.1:
        return Sheet(np.ascontiguousarray(photograph.scenery(rng, size)[:height, :width]), ())
    canvas = Canvas(size)
    if rng.random() < 0.6:
        fill_with_thing(rng, canvas, style, extent)
    else:
        fill_without_figures(rng, canvas, style, extent)
    warp = photograph.view(rng, size) if style.kind == "photo" else np.eye(3)
    ink = canvas.ink()
    if style.kind == "photo":
        ink = photograph.warp(ink, warp, (255, 255, 255))
    image = finish(rng, style, ink, warp, extent, None)
    return Sheet(np.ascontiguousarray(image[:height, :width]), ())


def _outline_points(drawn: DrawnFigure) -> NDArray[np.float64]:
    marks = [mark for mark in drawn.marks if mark.in_mask]
    return np.concatenate([mark.points + side * mark.width for mark in marks for side in (-0.5, 0.5)])


def _window(
    rng: np.random.Generator, drawn: DrawnFigure, bent: Matrix, size: int
) -> tuple[Matrix, tuple[int, int]]:
    """The similarity from the (tilted) figure frame to the crop, and the crop's width and height."""
    points = cv2.perspectiveTransform(_outline_points(drawn)[None], bent)[0]
    low, high = points.min(axis=0), points.max(axis=0)
    margins = np.clip(_MARGIN + _MARGIN_DEVIATION * rng.normal(size=(2, 2)), -0.05, 0.2) * (high - low).max()
    low, high = low - margins[0], high + margins[1]
    scale = size / float((high - low).max())
    width, height = np.ceil((high - low) * scale - 1e-6).astype(int).clip(8, size).tolist()
    matrix = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale], [0, 0, 1.0]])
    return matrix, (width, height)


def _similar(drawn: DrawnFigure, size: int) -> Matrix:
    """Figure units to a page on which the figure is about as large as in the crop, with room about it."""
    points = _outline_points(drawn)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 0.88 * size / float((high - low).max())
    offset = size / 2 - (low + high) / 2 * scale
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]], [0, 0, 1.0]])


def _paper_cover(rng: np.random.Generator, coverage: Image, width: int, height: int) -> Image | None:
    """Where paper is: now and then an edge of the sheet shows, or the figure was cut out with scissors."""
    roll = rng.random()
    size = coverage.shape[0]
    larger = max(width, height)
    if roll < 0.06:
        rim = int(rng.integers(2, max(4, size // 12)))
        element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
        return np.asarray(cv2.GaussianBlur(cv2.dilate(coverage, element), (0, 0), 0.8), dtype=np.uint8)
    if roll > 0.28:
        return None
    far = 3.0 * larger
    left, top, right, bottom = cv2.boundingRect((coverage > 0).astype(np.uint8))
    # the sheet ends beyond the figure, by little
    gaps = rng.uniform(1.0, 2.0 + 0.06 * larger, (4, 2))
    gaps[rng.random(4) < 0.65] += far
    right, bottom = left + right, top + bottom
    corners = np.array([
        (left - gaps[0, 0], top - gaps[1, 0]), (right + gaps[2, 0], top - gaps[1, 1]),
        (right + gaps[2, 1], bottom + gaps[3, 0]), (left - gaps[0, 1], bottom + gaps[3, 1]),
    ])  # fmt: skip
    return photograph.sheet_cover(size, corners)


def _background_removed(rng: np.random.Generator, image: Image, coverage: Image) -> Image:
    """The figure alone on a flat colour, as cut-out programs leave it."""
    rim = int(rng.integers(0, 3))
    kept = (
        cv2.dilate(coverage, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)).astype(np.float32)[:, :, None]
        / 255
    )
    flat = np.full(3, 255.0) if rng.random() < 0.7 else rng.uniform(0, 255, 3)
    return np.asarray(image * kept + flat.astype(np.float32) * (1.0 - kept), dtype=np.uint8)
