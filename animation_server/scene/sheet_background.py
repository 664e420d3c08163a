"""The sheet a figure was drawn on, as if the figure had never been there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.annotate import Annotation
from animation_server.drawing import Drawing

_INPAINT_SIDE = 320
"""Larger side of the copy that paper is made up on: it is smooth, and the time grows with the area."""

_INPAINT_RADIUS = 5.0

_RIM = 0.012
"""How far beyond its mask a figure's ink may reach, as a share of the sheet's larger side."""


@dataclass(frozen=True)
class Place:
    """Where a character's texture lies on its sheet, centres of pixels at whole numbers in both.

    scale, offset : sheet = texture * scale + offset, x, y in pixels of `Drawing.rgb`.
    """

    scale: float
    offset: tuple[float, float]


def place_of(annotation: Annotation, drawing: Drawing) -> Place:
    """Where an annotated figure stands on its sheet."""
    # an annotation counts in pixels of the full picture, full = working * scale + (scale - 1) / 2
    x, y = ((value - (drawing.scale - 1) / 2) / drawing.scale for value in annotation.texture_offset)
    return Place(annotation.texture_scale / drawing.scale, (x, y))


def clear_sheet(
    sheet: NDArray[np.uint8], figures: Sequence[tuple[NDArray[np.bool_], Place]]
) -> NDArray[np.uint8]:
    """Take figures off a sheet.

    sheet : (H, W, 3) uint8 RGB. figures : each with its mask, (h, w) bool in texture pixels, and its place.
    Returns (H, W, 3) uint8. What was under the figures is inpainted (Telea, "An Image Inpainting Technique
    Based on the Fast Marching Method", 2004) on a small copy: it has paper's colour and light, not its grain.
    """
    covered = _cover(sheet.shape[:2], figures)
    height, width = covered.shape
    scale = min(1.0, _INPAINT_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    hole = np.asarray(cv2.resize(covered.astype(np.float32), size, interpolation=cv2.INTER_AREA)) > 0
    if not hole.any() or hole.all():
        return sheet
    # the mean of the paper alone: ink must not leak into it by scaling
    share = cv2.resize((~covered).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    paper = cv2.resize(sheet * (~covered)[..., None].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = np.rint(paper / np.maximum(share, 1e-3)[..., None]).clip(0, 255).astype(np.uint8)
    filled = cv2.inpaint(small, hole.astype(np.uint8), _INPAINT_RADIUS, cv2.INPAINT_TELEA)
    # marching leaves streaks; paper has none
    smooth = cv2.GaussianBlur(filled, (0, 0), 4.0)
    filled = np.where(hole[..., None], smooth, filled).astype(np.uint8)
    large = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    feather = max(1.0, 0.25 * _RIM * max(height, width))
    weight = cv2.GaussianBlur(cv2.dilate(covered.astype(np.float32), _disc(feather)), (0, 0), feather)
    blended = sheet + (large.astype(np.float32) - sheet) * weight[..., None]
    return np.rint(blended).clip(0, 255).astype(np.uint8)


def _cover(shape: tuple[int, ...], figures: Sequence[tuple[NDArray[np.bool_], Place]]) -> NDArray[np.bool_]:
    """(H, W) bool, where figures and their rims lie."""
    height, width = shape[:2]
    covered = np.zeros((height, width), np.uint8)
    for mask, place in figures:
        matrix = np.array([[place.scale, 0.0, place.offset[0]], [0.0, place.scale, place.offset[1]]])
        on_sheet = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, (width, height))
        covered |= (np.asarray(on_sheet) > 0).astype(np.uint8)
    return np.asarray(cv2.dilate(covered, _disc(_RIM * max(height, width)))) > 0


def _disc(radius: float) -> NDArray[np.uint8]:
    diameter = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)).astype(np.uint8)
