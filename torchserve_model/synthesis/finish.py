"""From ink on a page to a picture: on a screen, scanned, or photographed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import families, medium, photograph, textures
from torchserve_model.synthesis.medium import Medium
from torchserve_model.synthesis.paper import paper

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """How pictures of one kind come about. kind : "digital", "scan" or "photo"."""

    kind: str
    medium: Medium
    mix: families.Mix


def sample_style(rng: np.random.Generator) -> Style:
    """A third on screens, a quarter scanned, the rest photographed."""
    roll = rng.random()
    if roll < 0.34:
        tool = medium.digital_medium(rng)
        return Style("digital", tool, families.TOUCH_MIX if tool.name == "touch" else families.BRUSH_MIX)
    kind = "scan" if roll < 0.58 else "photo"
    if kind == "scan" and rng.random() < 0.25:
        return Style(kind, medium.brush(rng), families.BRUSH_MIX)
    return Style(kind, medium.paper_medium(rng), families.PAPER_MIX)


def finish(
    rng: np.random.Generator,
    style: Style,
    ink: Image,
    to_picture: Matrix,
    extent: NDArray[np.float64],
    cover: Image | None,
) -> Image:
    """Turn (S, S, 3) ink, already in the picture's frame, into the picture.

    to_picture : page to picture homography, for rulings. extent : width and height of the part that is kept.
    cover : (S, S) uint8, 255 where there is paper; None when its edge does not show.
    """
    if style.kind == "digital":
        return _on_screen(rng, ink)
    ink = _grained(rng, style.medium, ink)
    size = ink.shape[0]
    if style.kind == "scan":
        return _scanned(rng, ink, to_picture)
    picture = paper(rng, size, to_picture) * (ink.astype(np.float32) * np.float32(1 / 255))
    if cover is not None:
        picture = photograph.surroundings(rng, picture, cover)
    if rng.random() < 0.06:
        photograph.fingers(rng, picture, extent)
    picture *= photograph.light(rng, size)[:, :, None]
    if rng.random() < 0.04:
        photograph.screen(rng, picture)
    image = photograph.expose(rng, picture)
    image = photograph.soften(rng, image)
    return photograph.compress(rng, image) if rng.random() < 0.6 else image


def _on_screen(rng: np.random.Generator, ink: Image) -> Image:
    roll = rng.random()
    if roll < 0.1:
        background = rng.integers(215, 256, 3).astype(np.float32)
        ink = (ink * (background / 255)).astype(np.uint8)
    elif roll < 0.125:
        ink = 255 - ink
    if rng.random() < 0.12:
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.3, 0.9)), dtype=np.uint8)
    return photograph.compress(rng, ink, 40) if rng.random() < 0.25 else ink


def _scanned(rng: np.random.Generator, ink: Image, to_picture: Matrix) -> Image:
    if rng.random() < 0.4:
        sheet = np.full(3, rng.uniform(225, 255)) + rng.normal(0, 3, 3)
        image = (ink * (np.clip(sheet, 0, 255) / 255).astype(np.float32)).astype(np.uint8)
    else:
        image = np.clip(paper(rng, ink.shape[0], to_picture) * (ink.astype(np.float32) / 255), 0, 255).astype(
            np.uint8
        )
        if rng.random() < 0.5:
            # a scanner's levels: paper becomes white
            white, black = rng.uniform(190, 250), rng.uniform(0, 60)
            table = np.clip((np.arange(256) - black) * 255 / (white - black), 0, 255).astype(np.uint8)
            image = np.asarray(cv2.LUT(image, table), dtype=np.uint8)
    if rng.random() < 0.3:
        image = photograph.soften(rng, image)
    return photograph.compress(rng, image) if rng.random() < 0.5 else image


def _grained(rng: np.random.Generator, tool: Medium, ink: Image) -> Image:
    """Let the paper's relief break up wax and graphite, and thin the ink to its opacity."""
    size = ink.shape[0]
    strength = tool.opacity * rng.uniform(0.85, 1.0)
    kind = "fine" if rng.random() < 0.6 else "grain"
    cover = np.clip(strength * (1.0 + tool.grain * 0.45 * textures.patch(rng, kind, size)), 0.0, 1.0)
    return np.asarray(255.0 - (255.0 - ink) * cover[:, :, None], dtype=np.uint8)
