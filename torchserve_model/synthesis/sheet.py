"""Whole sheets, as the detector meets them: figures anywhere, things about them, or no figure at all."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import photograph
from torchserve_model.synthesis.canvas import Canvas
from torchserve_model.synthesis.clutter import fill_with_thing, fill_without_figures, scatter, scatter_behind
from torchserve_model.synthesis.figure import draw_figure
from torchserve_model.synthesis.finish import finish, sample_style
from torchserve_model.synthesis.labels import Figure, Sheet, label_figure
from torchserve_model.synthesis.sketch import bounds

_EMPTY = 0.28
_ONE_THING = 0.3
_SCENERY = 0.03
"""Shares of sheets without a figure, of these with one large thing, and of pictures without any sheet."""


def draw_sheet(rng: np.random.Generator, size: int = 256) -> Sheet:
    """A whole page or photograph with no, one or several figures; the longer side is `size` pixels."""
    style = sample_style(rng)
    aspect = float(rng.choice([1.0, 1.5, 1.33, 1.78, rng.uniform(1.0, 2.0)]))
    width, height = (size, round(size / aspect)) if rng.random() < 0.5 else (round(size / aspect), size)
    extent = np.array([width, height], dtype=np.float64)
    canvas = Canvas(size)
    warp = photograph.view(rng, size) if style.kind == "photo" else np.eye(3)

    if rng.random() < _SCENERY:
        return Sheet(np.ascontiguousarray(photograph.scenery(rng, size)[:height, :width]), ())
    kept = np.s_[:height, :width]
    boxes: list[NDArray[np.float64]] = []
    figures: list[Figure] = []
    if rng.random() < _EMPTY:
        fill = fill_with_thing if rng.random() < _ONE_THING else fill_without_figures
        fill(rng, canvas, style, extent)
    else:
        scatter_behind(rng, canvas, style, extent)
        count = int(rng.choice([1, 2, 3, 4, 6], p=[0.6, 0.18, 0.12, 0.06, 0.04]))
        for _ in range(count):
            drawn = draw_figure(rng, style.mix, style.medium)
            left, top, right, bottom = bounds(list(drawn.marks))
            box = _place(rng, (right - left) / (bottom - top), extent, boxes, alone=count == 1)
            if box is None:
                continue
            boxes.append(box)
            scale = float((box[3] - box[1]) / (bottom - top))
            offset = box[:2] - np.array([left, top]) * scale
            canvas.draw(drawn.marks, scale, offset)
            coverage = canvas.mask(drawn.marks, scale, offset)
            parts = canvas.parts(drawn.marks, scale, offset)
            joints = cv2.perspectiveTransform((drawn.joints * scale + offset)[None], warp)[0]
            if style.kind == "photo":
                coverage = photograph.warp(coverage, warp)
                parts = photograph.warp_labels(parts, warp)
            figure = label_figure(joints, drawn.visible, coverage[kept], parts[kept])
            if figure is not None:
                figures.append(figure)
        scatter(rng, canvas, style, extent, boxes)
    ink = canvas.ink()
    cover = None
    if style.kind == "photo":
        ink = photograph.warp(ink, warp, (255, 255, 255))
        cover = _paper_cover(rng, extent, figures)
    image = finish(rng, style, ink, warp, extent, cover)
    return Sheet(np.ascontiguousarray(image[:height, :width]), tuple(figures))


def _place(
    rng: np.random.Generator,
    aspect: float,
    extent: NDArray[np.float64],
    taken: list[NDArray[np.float64]],
    *,
    alone: bool,
) -> NDArray[np.float64] | None:
    """A free box (left, top, right, bottom) in page pixels for a figure of the given width over height."""
    width, height = extent
    crowded = rng.random() < 0.25
    largest = min(0.97 * height, 0.97 * width / aspect)
    for _ in range(8):
        share = rng.uniform(0.3, 1.0) if alone else rng.uniform(0.16, 0.6)
        h = max(largest * share, 0.1 * max(width, height))
        w = h * aspect
        slack = np.maximum(extent - (w, h), 0.0)
        at = slack * rng.beta(1.5, 1.5, 2) if rng.random() < 0.96 else rng.uniform(-0.12, 0.88, 2) * extent
        box = np.array([*at, at[0] + w, at[1] + h])
        # figures stand side by side and hold hands, but seldom on each other
        if all(_overlap(box, other) < (0.12 if crowded else 0.02) for other in taken):
            return box
    return None


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0, None)
    smaller = min(float((a[2:] - a[:2]).prod()), float((b[2:] - b[:2]).prod()))
    return float(size.prod()) / max(smaller, 1e-9)


def _paper_cover(
    rng: np.random.Generator, extent: NDArray[np.float64], figures: list[Figure]
) -> NDArray[np.uint8] | None:
    """Where paper is: most photographs show some table about the sheet, which holds all figures whole."""
    if rng.random() < 0.4:
        return None
    larger = float(extent.max())
    inset = rng.uniform(-0.05, 0.09, 4) * larger
    low, high = inset[:2], extent - inset[2:]
    corners = np.array([(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])])
    corners += rng.normal(0, 0.015, (4, 2)) * larger
    if figures:
        boxes = np.array([figure.bbox_xyxy for figure in figures], dtype=np.float64)
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        corners[[0, 3], 0] = np.minimum(corners[[0, 3], 0], low[0] - 2)
        corners[[1, 2], 0] = np.maximum(corners[[1, 2], 0], high[0] + 2)
        corners[[0, 1], 1] = np.minimum(corners[[0, 1], 1], low[1] - 2)
        corners[[2, 3], 1] = np.maximum(corners[[2, 3], 1], high[1] + 2)
    return photograph.sheet_cover(round(larger), corners)
