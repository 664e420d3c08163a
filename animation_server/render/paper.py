"""Making the photographed paper even: lighting flattened, white balanced, grain gone; ink and colour stay.

Paper is found by its lightness: a low polynomial is fitted to the picture's lightness, pixels that do not
agree are taken for something else, and the fit is repeated. Each channel of the paper so found is then
fitted in the same way and divided out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server import quadratic

_FIT_SIZE = 96
"""Larger side of the copy that lighting is fitted on, pixels: lighting varies slowly."""

_WHITE = 252.0
"""What paper becomes."""

_DARKEST_PAPER = 25.0
"""A lightness below which the surroundings are not taken for paper, however dim the light may have been."""

_MOST_LIGHTER_SHARE = 0.05
"""Nothing is lighter than paper: with more of the figure lighter, it is chalk on a board."""

_LEAST_PAPER_SHARE = 0.4
"""Of the surroundings of a figure, how much must agree on being paper."""

_FIT_ROUNDS = 5


@dataclass(frozen=True)
class EvenedTexture:
    """A texture on even paper.

    rgb : (H, W, 3) uint8. is_paper : (H, W) bool, where it shows bare paper; nowhere, if none was found.
    """

    rgb: NDArray[np.uint8]
    is_paper: NDArray[np.bool_]


def even_out(texture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> EvenedTexture:
    """Even out the paper of a drawing.

    texture : (H, W, 3) uint8 RGB. mask : (H, W) bool, True on the figure; around it is mostly bare paper.

    A texture whose surroundings do not look like paper comes back as it is.
    """
    lighting = _fit_lighting(texture, mask)
    if lighting is None:
        return EvenedTexture(texture, np.zeros(mask.shape, dtype=bool))
    gain, noise = lighting
    white = np.float32(_WHITE)
    darkness = np.maximum(white - texture * gain, np.float32(0.0))
    # what is nearer to white than the grain is paper; beyond that it fades in, so that faint strokes stay
    low = np.float32(np.clip(3.0 * noise, 6.0, 24.0))
    stroke = cv2.GaussianBlur(darkness.max(axis=2), (0, 0), 0.8)
    ink = np.clip((stroke - low) / (np.float32(1.2) * low), 0.0, 1.0)
    rgb = (white + np.float32(0.5) - darkness * ink[..., None]).astype(np.uint8)
    return EvenedTexture(rgb, ink < 0.5)


def _fit_lighting(
    texture: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float] | None:
    """Gain (H, W, 3) that makes paper white, and the paper's grain after it; None without paper."""
    height, width = mask.shape
    scale = min(1.0, _FIT_SIZE / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    small = np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), dtype=np.float64)
    figure = np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)) > 0
    around = (cv2.dilate(figure.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0).ravel()
    if around.mean() < 0.05:  # the figure fills its crop: judge by all of it
        around[:] = True
    y, x = np.meshgrid(np.linspace(-1, 1, size[1]), np.linspace(-1, 1, size[0]), indexing="ij")
    terms = quadratic.terms(y.ravel(), x.ravel())
    lightness = small.mean(axis=2).ravel()
    paper = around & (lightness >= np.percentile(lightness[around], 30))
    residual, tolerance = np.zeros_like(lightness), 0.0
    for round_number in range(_FIT_ROUNDS):
        residual = lightness - terms @ quadratic.fit(terms[paper], lightness[paper])
        tolerance = float(np.clip(3.0 * 1.48 * np.median(np.abs(residual[paper])), 4.0, 30.0))
        # the figure's own paper takes part once the surroundings have told what paper looks like
        candidates = around if round_number < 2 else np.ones_like(around)
        paper = candidates & (np.abs(residual) < tolerance)
        if paper.sum() < 32:
            return None
    if paper[around].mean() < _LEAST_PAPER_SHARE or lightness[paper].mean() < _DARKEST_PAPER:
        return None
    is_lighter = (residual > 1.5 * tolerance) & figure.ravel()
    if is_lighter.sum() > _MOST_LIGHTER_SHARE * figure.sum():
        return None
    field = np.maximum(terms @ quadratic.fit(terms[paper], small.reshape(-1, 3)[paper]), 20.0)
    gain = (_WHITE / field).reshape(size[1], size[0], 3).astype(np.float32)
    grain = _grain(texture, mask) * _WHITE / float(field[paper].mean())
    return np.asarray(cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)), grain


def _grain(texture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Standard deviation of the paper's grain in the surroundings, robust against strokes."""
    values = texture[..., 1].astype(np.float32)
    detail = np.abs(values - cv2.boxFilter(values, -1, (7, 7)))
    outside = detail[~mask][::7]
    return 1.48 * float(np.median(outside if outside.size > 100 else detail))


def trim_rim(mask: NDArray[np.bool_], is_paper: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take off the rim of bare paper that a mask leaves around the outermost strokes.

    Only paper near both the mask's edge and a stroke goes; where a figure has no outline, its paper stays.
    """
    reach = max(2, round(0.012 * max(mask.shape)))
    cross = np.ones((3, 3), np.uint8)
    passable = (is_paper | ~mask).astype(np.uint8)
    reached = np.pad((~mask).astype(np.uint8), 1, constant_values=1)
    passable = np.pad(passable, 1, constant_values=1)
    for _ in range(reach):
        reached = np.asarray(cv2.dilate(reached, cross), dtype=np.uint8) & passable
    reached = reached[1:-1, 1:-1]
    strokes = (mask & ~is_paper).astype(np.uint8)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    kept = mask & ~((reached > 0) & (cv2.dilate(strokes, window) > 0))
    # a gap in the outline lets the trimming in: close what is narrower than it reaches
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    padded = np.pad(kept.astype(np.uint8), 2 * reach)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[2 * reach : -2 * reach, 2 * reach : -2 * reach]
    return mask & (closed > 0)
