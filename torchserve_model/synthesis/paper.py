"""What ink lies on: colour, fibre, rulings, folds and stains of a sheet of paper."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import textures

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def paper(rng: np.random.Generator, size: int, to_picture: Matrix) -> NDArray[np.float32]:
    """(size, size, 3) float32 RGB paper, 0 to 255. `to_picture` (3, 3) takes page to picture pixels."""
    sheet = np.full((size, size, 3), _colour(rng), np.float32)
    rough = rng.uniform(0.2, 3.0)
    relief = textures.patch(rng, "fine", size) * rough + textures.patch(
        rng, "grain", size
    ) * rough * rng.uniform(0, 1)
    if rng.random() < 0.5:
        relief = relief + textures.patch(rng, "cloud", size) * rng.uniform(0.5, 5.0)
    sheet += relief[:, :, None]
    kind = rng.random()
    if kind < 0.12:
        _rule(rng, sheet, to_picture, grid=False)
    elif kind < 0.2:
        _rule(rng, sheet, to_picture, grid=True)
    if rng.random() < 0.22:
        _folds(rng, sheet)
    if rng.random() < 0.12:
        _show_through(rng, sheet)
    return np.clip(sheet, 0, 255)


def _colour(rng: np.random.Generator) -> NDArray[np.float32]:
    kind = rng.random()
    if kind < 0.8:
        base = rng.uniform(200, 255) - np.array([0.0, 1.0, rng.uniform(-6, 14)]) + rng.normal(0, 2, 3)
    elif kind < 0.9:
        base = np.array([rng.uniform(222, 250), rng.uniform(208, 228), rng.uniform(170, 210)])
    elif kind < 0.96:
        base = rng.uniform(175, 250, 3)
    else:
        base = np.array([190, 150, 110]) * rng.uniform(0.75, 1.15)
    return np.clip(base, 60, 255).astype(np.float32)


def _rule(rng: np.random.Generator, sheet: NDArray[np.float32], to_picture: Matrix, *, grid: bool) -> None:
    size = sheet.shape[0]
    spacing = size * (rng.uniform(0.025, 0.07) if grid else rng.uniform(0.035, 0.1))
    at = np.arange(rng.uniform(-0.5, -0.4) * size, 1.5 * size, spacing)
    far = np.full_like(at, 1.6 * size)
    ends = np.stack((np.stack((-far + size, at), axis=1), np.stack((far, at), axis=1)), axis=1)
    if grid:
        ends = np.concatenate((ends, ends[:, :, ::-1]))
    lines = cv2.perspectiveTransform(ends.reshape(1, -1, 2), to_picture).reshape(-1, 2, 2)
    layer = np.zeros(sheet.shape[:2], np.uint8)
    cv2.polylines(
        layer,
        list(np.round(np.clip(lines, -3000, 3000) * 16).astype(np.int32)),
        False,
        255,
        1,
        cv2.LINE_AA,
        4,
    )
    strength = rng.uniform(0.06, 0.5)
    colour = np.array(
        [(90, 130, 200), (120, 120, 130), (200, 110, 120), (110, 170, 190)][int(rng.integers(4))], np.float32
    )
    alpha = layer[:, :, None].astype(np.float32) * (strength / 255)
    sheet += alpha * (colour - sheet)
    if not grid and rng.random() < 0.4:
        x = rng.uniform(0.05, 0.2) * size
        line = cv2.perspectiveTransform(np.array([[(x, -size), (x, 2.0 * size)]]), to_picture)
        layer[:] = 0
        cv2.polylines(
            layer,
            [np.round(np.clip(line[0], -3000, 3000) * 16).astype(np.int32)],
            False,
            255,
            1,
            cv2.LINE_AA,
            4,
        )
        sheet += (
            layer[:, :, None].astype(np.float32)
            * (strength / 255)
            * (np.array([220, 110, 120], np.float32) - sheet)
        )


def _folds(rng: np.random.Generator, sheet: NDArray[np.float32]) -> None:
    """Creases: the paper is lighter on one side of a line than on the other, and darker on the line."""
    size = sheet.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    for _ in range(int(rng.integers(1, 3)) if rng.random() < 0.8 else 5):
        angle = (
            rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.06)
            if rng.random() < 0.7
            else rng.uniform(0, np.pi)
        )
        cx, cy = rng.uniform(0.15, 0.85, 2) * size
        d = (x - cx) * np.float32(np.sin(angle)) + (y - cy) * np.float32(np.cos(angle))
        reach = np.float32(rng.uniform(0.02, 0.2) * size)
        step = np.sign(d) * np.exp(-np.abs(d) / reach) * np.float32(rng.uniform(2, 11))
        step -= np.exp(-((d / np.float32(rng.uniform(0.5, 1.5))) ** 2)) * np.float32(rng.uniform(0, 30))
        sheet += step[:, :, None]


def _show_through(rng: np.random.Generator, sheet: NDArray[np.float32]) -> None:
    """Faint strokes of the page's other side."""
    size = sheet.shape[0]
    layer = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(2, 8))):
        points = np.cumsum(rng.normal(0, size * 0.08, (8, 2)), axis=0) + rng.uniform(0, size, 2)
        cv2.polylines(
            layer,
            [np.round(points * 16).astype(np.int32)],
            False,
            255,
            int(rng.integers(1, 4)),
            cv2.LINE_AA,
            4,
        )
    blurred = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.8, 2.5))
    sheet -= blurred[:, :, None] * np.float32(rng.uniform(0.02, 0.1))
