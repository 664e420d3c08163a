"""How a sheet comes to be a picture: view, table, light, lens and compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import medium, textures

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def view(rng: np.random.Generator, size: int, strength: float = 1.0) -> Matrix:
    """(3, 3) homography of page onto picture pixels: a small turn, a tilt of the camera, a shift."""
    angle = rng.normal(0, 3.0 if rng.random() < 0.82 else 9.0) * strength
    turn = np.vstack((cv2.getRotationMatrix2D((size / 2, size / 2), angle, 1.0), [0, 0, 1]))
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], np.float32)
    moved = corners + rng.normal(0, 0.022 * size * strength, (4, 2)).astype(np.float32)
    tilt = np.asarray(cv2.getPerspectiveTransform(corners, moved), dtype=np.float64)
    result: Matrix = tilt @ turn
    return result


def warp(image: Image, matrix: Matrix, border: tuple[int, int, int] | int = 0) -> Image:
    """Apply a homography between continuous pixel frames (first pixel's centre at 0.5)."""
    return _warp(image, matrix, border, cv2.INTER_LINEAR)


def warp_labels(labels: Image, matrix: Matrix) -> Image:
    """Apply a homography to an image of labels, which do not mix."""
    return _warp(labels, matrix, 0, cv2.INTER_NEAREST)


def _warp(image: Image, matrix: Matrix, border: tuple[int, int, int] | int, interpolation: int) -> Image:
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    full = np.linalg.inv(half) @ matrix @ half
    height, width = image.shape[:2]
    warped = cv2.warpPerspective(image, full, (width, height), flags=interpolation, borderValue=border)
    return np.asarray(warped, dtype=np.uint8)


def sheet_cover(size: int, corners_px: NDArray[np.float64]) -> Image:
    """(size, size) uint8, 255 on the sheet whose corners (4, 2) are given."""
    cover = np.zeros((size, size), np.uint8)
    corners = np.round(np.clip(corners_px, -4000, 4000) * 16).astype(np.int32)
    cv2.fillPoly(cover, [corners], 255, cv2.LINE_AA, 4)
    return cover


def surroundings(rng: np.random.Generator, picture: NDArray[np.float32], cover: Image) -> NDArray[np.float32]:
    """Put a table, a floor or a void where no paper is (`cover` 0), and the paper's shadow on it."""
    size = picture.shape[0]
    if cover.min() == 255:
        return picture
    table = _table(rng, size)
    if rng.random() < 0.12:
        _put_objects(rng, table, int(rng.integers(1, 4)))
    if rng.random() < 0.7:
        reach = rng.uniform(1.0, 6.0) * size / 256
        shift = np.array([[1, 0, rng.normal(0, reach)], [0, 1, rng.normal(0, reach)]])
        cast = cv2.GaussianBlur(cv2.warpAffine(cover, shift, (size, size)), (0, 0), reach)
        table *= 1.0 - cast[:, :, None] * np.float32(rng.uniform(0.1, 0.6) / 255)
    alpha = cover[:, :, None].astype(np.float32) / 255
    return np.asarray(table + alpha * (picture - table), dtype=np.float32)


def fingers(rng: np.random.Generator, picture: NDArray[np.float32], extent: NDArray[np.float64]) -> None:
    """Draw, in place, the fingers that hold the sheet at an edge of the picture (width, height)."""
    size = picture.shape[0]
    width, height = extent
    side = int(rng.integers(4))
    edge = np.array([(0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0)][side])
    along = np.array([0.0, 1.0]) if side < 2 else np.array([1.0, 0.0])
    base = np.array(medium.SKIN[int(rng.integers(len(medium.SKIN)))], np.float64) * rng.uniform(0.6, 1.0)
    thick = size * rng.uniform(0.02, 0.05)
    layer = np.zeros((size, size), np.uint8)
    start = edge * (width, height) + along * rng.uniform(-0.35, 0.35) * float(np.dot(extent, along))
    inward = (0.5 - edge) * 2.0
    for k in range(int(rng.integers(1, 4))):
        root = start + along * thick * 2.1 * k
        tip = root + inward * thick * rng.uniform(0.5, 3.0)
        points = np.round(np.stack((root - inward * thick * 3, tip)) * 16).astype(np.int32)
        cv2.polylines(layer, [points], False, 255, max(2, round(2 * thick)), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(layer, (0, 0), thick * 0.4).astype(np.float32) / 255
    alpha = layer.astype(np.float32)[:, :, None] / 255
    shaded = base.astype(np.float32) * (0.55 + 0.5 * soft[:, :, None])
    picture *= 1.0 - 0.25 * soft[:, :, None]
    picture += alpha * (shaded - picture)


def _table(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    kind = rng.choice(["dark", "wood", "plain", "cloth", "light"], p=[0.25, 0.3, 0.2, 0.15, 0.1])
    if kind == "dark":
        colour, texture, depth = rng.uniform(5, 60) + rng.normal(0, 5, 3), "grain", rng.uniform(1, 6)
    elif kind == "wood":
        colour = np.array([170, 120, 75]) * rng.uniform(0.4, 1.35) + rng.normal(0, 10, 3)
        texture, depth = "wood", rng.uniform(5, 18)
    elif kind == "cloth":
        colour, texture, depth = rng.uniform(30, 220, 3), "mottle", rng.uniform(5, 22)
    elif kind == "light":
        colour, texture, depth = rng.uniform(190, 250) + rng.normal(0, 4, 3), "grain", rng.uniform(1, 4)
    else:
        colour, texture, depth = rng.uniform(40, 220) + rng.normal(0, 20, 3), "cloud", rng.uniform(1, 8)
    table = np.full((size, size, 3), np.clip(colour, 0, 255), np.float32)
    table += (textures.patch(rng, texture, size) * np.float32(depth))[:, :, None]
    return np.clip(table, 0, 255)


def scenery(rng: np.random.Generator, size: int) -> Image:
    """A photograph of anything but a drawing: surfaces with a few plain objects on them."""
    picture = _table(rng, size)
    _put_objects(rng, picture, int(rng.integers(0, 7)))
    return soften(rng, expose(rng, picture * light(rng, size)[:, :, None]))


def _put_objects(rng: np.random.Generator, picture: NDArray[np.float32], count: int) -> None:
    """Lay plain objects (a book, a plate, a pen) on a picture, in place."""
    size = picture.shape[0]
    for _ in range(count):
        layer = np.zeros((size, size), np.uint8)
        centre, axes = rng.uniform(0, size, 2), size * rng.uniform(0.02, 0.4, 2)
        turn = rng.uniform(0, 180)
        if rng.random() < 0.4:
            cv2.ellipse(layer, (tuple(centre), tuple(2 * axes), turn), 255, -1)
        else:
            box = cv2.boxPoints((tuple(centre), tuple(2 * axes), turn))
            cv2.fillPoly(layer, [np.round(box).astype(np.int32)], 255)
        soft = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.5, 3.0)).astype(np.float32)[:, :, None] / 255
        picture += soft * (_table(rng, size) - picture)


def screen(rng: np.random.Generator, picture: NDArray[np.float32]) -> None:
    """Darken, in place, along the beat of a display's pixels with the camera's."""
    size = picture.shape[0]
    axis = np.arange(size, dtype=np.float32)
    across, down = rng.normal(0, 0.5, 2)
    phase = across * axis[None] + down * axis[:, None] + textures.patch(rng, "cloud", size) * np.float32(1.5)
    picture *= (1.0 + np.float32(rng.uniform(0.01, 0.06)) * np.sin(phase))[:, :, None]


def light(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """(size, size) float32 factor of illumination: gradient, vignette, blotches, cast shadows."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.28)
    ramp = axis[None] * np.float32(np.cos(angle) * slope) + axis[:, None] * np.float32(np.sin(angle) * slope)
    field = 1.0 + ramp - np.float32(rng.uniform(0, 0.12)) * (axis[None] ** 2 + axis[:, None] ** 2)
    if rng.random() < 0.4:
        field += textures.patch(rng, "cloud", size) * np.float32(rng.uniform(0.0, 0.05))
    if rng.random() < 0.3:
        field *= _cast_shadow(rng, size)
    return np.asarray(field * rng.uniform(0.62, 1.04), dtype=np.float32)


def _cast_shadow(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """The photographer, the hand or the phone between the lamp and the sheet."""
    small = np.zeros((64, 64), np.uint8)
    if rng.random() < 0.5:
        centre, radius = rng.uniform(-10, 74, 2), rng.uniform(12, 40, 2)
        cv2.ellipse(small, (tuple(centre), tuple(radius * 2), rng.uniform(0, 180)), 255, -1)
    else:
        edge = rng.uniform(10, 54)
        lean = rng.normal(0, 14)
        points = np.array([(edge - lean, -2), (edge + lean, 66), (90, 66), (90, -2)])
        cv2.fillPoly(small, [np.round(points).astype(np.int32)], 255)
        small = np.ascontiguousarray(np.rot90(small, int(rng.integers(4))))
    soft = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.6, 7.0))
    field = cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return np.asarray(1.0 - field * (rng.uniform(0.1, 0.45) / 255), dtype=np.float32)


def expose(rng: np.random.Generator, picture: NDArray[np.float32]) -> Image:
    """Colour of the light, the camera's curve and its noise; float RGB in, uint8 RGB out."""
    size = picture.shape[0]
    # lamps and skies shift white along red to blue, seldom towards green
    gains = np.exp(rng.normal(0, 0.015, 3) + np.array([1.0, 0.1, -1.0]) * rng.normal(0.01, 0.06)).astype(
        np.float32
    )
    picture = picture * gains
    if rng.random() < 0.7:
        level = rng.uniform(0.5, 7.0)
        kind = "white" if rng.random() < 0.5 else "fine"
        noise = textures.patch(rng, kind, size)
        if rng.random() < 0.5:
            picture += (noise * np.float32(level))[:, :, None]
        else:
            for channel in range(3):
                picture[:, :, channel] += textures.patch(rng, kind, size) * np.float32(level)
    image = np.clip(picture, 0, 255).astype(np.uint8)
    levels = np.linspace(0, 1, 256)
    gamma, contrast = np.exp(rng.normal(0, 0.15)), rng.uniform(0.75, 1.2)
    table = np.clip(((levels**gamma - 0.6) * contrast + 0.6) * 255 + rng.normal(0, 6), 0, 255).astype(
        np.uint8
    )
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def soften(rng: np.random.Generator, image: Image) -> Image:
    """Focus, motion, sharpening and resampling losses."""
    roll = rng.random()
    size = image.shape[0]
    if roll < 0.3:
        image = np.asarray(
            cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1) * size / 256 + 0.2), dtype=np.uint8
        )
    elif roll < 0.37:
        kernel = np.zeros((7, 7), np.float32)
        angle = rng.uniform(0, np.pi)
        d = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.8, 2.5)
        a, b = np.round(3 - d).astype(int).tolist(), np.round(3 + d).astype(int).tolist()
        cv2.line(kernel, a, b, 1.0, 1)
        image = np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)
    elif roll < 0.47:
        low = max(32, int(size * rng.uniform(0.45, 0.9)))
        small = cv2.resize(image, (low, low), interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    elif roll < 0.6:
        blurred = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = np.asarray(cv2.addWeighted(image, 1.7, blurred, -0.7, 0), dtype=np.uint8)
    return image


def compress(rng: np.random.Generator, image: Image, low: int = 35) -> Image:
    """JPEG there and back."""
    quality = int(rng.integers(low, 96))
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
