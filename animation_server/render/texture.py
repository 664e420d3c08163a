"""A character's texture made ready for drawing: cut out softly, brought to the size it is shown at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from animation_server.render.paper import even_out, trim_rim

_LARGEST_SIDE = 2048
"""Bound on a prepared texture's side; sharper than this nobody asks for."""

_THIN_STRENGTH = 1.3
"""Peak opacity that a thin line is brought to; above one, for sampling between two texels halves it."""

_FAINTEST = 40.0
"""Opacity, of 255, that is still brought to full strength: a line of a sixth of a texel."""

_LIGHT = 200
"""Channel value above which a pixel in a gap is more paper than line; gaps may be but a pixel or two wide."""

_STRONG_PERCENTILE = 85.0
"""Of a figure's stroke pixels by darkness: what its tool does where it covers a pixel."""

_MOST_DARKENING = 1.6
"""Bound on how much darker a thin line is made; what is paler was drawn pale."""


@dataclass(frozen=True)
class Cutout:
    """A figure cut out of its drawing, at full size, not yet scaled.

    colour : (H, W, 3) uint8 RGB; beyond the figure it goes on in the colour of the figure's edge.
    alpha : (H, W) uint8, soft at the edge.
    """

    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


@dataclass(frozen=True)
class Sprite:
    """A cutout ready for sampling.

    rgba : (h, w, 4) uint8, premultiplied; fully transparent at its edge.
    scale : texels per texture pixel.
    border : texels added all round, so that a mesh that reaches beyond the texture samples nothing.
    """

    rgba: NDArray[np.uint8]
    scale: float
    border: int

    def from_texture(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) x, y in texture pixels to texels; centres at whole numbers in both.

        Points beyond the sprite go to its transparent border, where nothing is to be seen but sampling is
        safe.
        """
        texels = (np.asarray(points_px, dtype=np.float64) + 0.5) * self.scale - 0.5 + self.border
        return np.clip(texels, 0.5, np.array(self.rgba.shape[1::-1]) - 1.5)


def cut_out(
    texture: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    gaps: NDArray[np.bool_] | None = None,
    *,
    even_paper: bool = True,
) -> Cutout:
    """Cut a figure out along its mask, with a smooth edge.

    texture : (H, W, 3) uint8 RGB. mask : (H, W) bool. gaps : (H, W) bool, between parts that were cut
    apart; paper there is taken out.
    even_paper : whether paper is made white and even, and a rim of it around the figure is taken off.
    """
    colour = texture
    if even_paper:
        evened = even_out(texture, mask)
        trimmed = trim_rim(mask, evened.is_paper)
        if trimmed.sum() > 0.5 * mask.sum():  # a figure that mostly goes was not one of strokes on paper
            mask = trimmed
            if gaps is not None:
                mask = mask & ~(gaps & (evened.rgb.min(axis=2) > _LIGHT))
        if evened.is_paper.any():
            colour = _firm_edge(evened.rgb, mask.astype(np.uint8))
    binary = mask.astype(np.uint8)
    soft = cv2.GaussianBlur(binary * np.float32(255.0), (0, 0), 1.0)
    # blurring thins what is thinner than the blur: lines of one or two pixels keep their full strength
    thin = (binary > 0) & (cv2.morphologyEx(binary, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) == 0)
    alpha = np.where(thin, 255, np.clip((soft - 127.5) * 1.5 + 127.5, 0, 255)).astype(np.uint8)
    return Cutout(_bleed(colour, binary), alpha)


def _firm_edge(colour: NDArray[np.uint8], binary: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where a stroke fades into paper at a figure's edge, let its colour go on instead: alpha alone fades.

    colour : (H, W, 3) uint8. binary : (H, W) uint8, 1 on the figure.
    """
    reach = max(1, round(max(binary.shape) / 600))  # of a photograph's blur, pixels
    fading = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    band = np.ones((2 * reach + 3, 2 * reach + 3), np.uint8)
    edge = (binary > 0) & (cv2.erode(binary, band) == 0)
    firm = np.asarray(cv2.erode(colour, fading), dtype=np.uint8)
    # a line that is all edge is paper in part everywhere, though less so in places along its way
    is_line = (binary > 0) & (cv2.morphologyEx(binary, cv2.MORPH_OPEN, band) == 0)
    result = colour.copy()
    result[edge] = firm[edge]
    if is_line.any():
        result[is_line] = _full_ink(np.asarray(cv2.erode(firm, fading))[is_line], firm, binary)
    return result


def _full_ink(
    lines: NDArray[np.uint8], colour: NDArray[np.uint8], binary: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Darken the colours of lines, (n, 3) uint8, toward the figure's strong strokes, each in its own hue.

    colour : (H, W, 3) uint8 on white paper. binary : (H, W) uint8, 1 on the figure.
    """
    lowest = np.minimum(np.minimum(colour[..., 0], colour[..., 1]), colour[..., 2])
    strokes = lowest[(binary > 0) & (lowest < 255.0 - _FAINTEST)]
    if not strokes.size:
        return lines
    strong = 255.0 - float(np.percentile(strokes, 100.0 - _STRONG_PERCENTILE))
    darkness = np.float32(255.0) - lines
    gain = np.clip(strong / np.maximum(darkness.max(axis=1, keepdims=True), 1.0), 1.0, _MOST_DARKENING)
    return (255.0 - np.minimum(darkness * gain, 255.0)).astype(np.uint8)


def _bleed(texture: NDArray[np.uint8], core: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Continue the colours of a figure's core beyond it, so that what is mixed in at the edge is never paper.

    texture : (H, W, 3) uint8. core : (H, W) uint8, 1 where colours are the figure's own.
    """
    if not core.any():
        return texture
    _, nearest = cv2.distanceTransformWithLabels(1 - core, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[core > 0]] = texture[core > 0]
    return colours[nearest]


def make_sprite(cutout: Cutout, scale: float) -> Sprite:
    """Scale a cutout and premultiply it.

    scale : wanted texels per texture pixel; bounded, so read the result's.
    """
    height, width = cutout.alpha.shape
    scale = float(np.clip(scale, 1.0 / max(height, width), _LARGEST_SIDE / max(height, width)))
    border = 4 + int(np.ceil(2 * scale))  # interpolation spreads an edge by up to two pixels
    colour = _scale(cutout.colour, scale, border, cv2.BORDER_REPLICATE)
    alpha = _scale(cutout.alpha, scale, border, cv2.BORDER_CONSTANT)
    if scale < 1.0:
        alpha = _strengthen_thin(alpha)
    weight = alpha[..., None].astype(np.uint16)
    premultiplied = ((colour * weight + 127) // 255).astype(np.uint8)
    return Sprite(np.ascontiguousarray(np.dstack((premultiplied, alpha))), scale, border)


def _strengthen_thin(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep lines that scaling made thinner than a texel from fading away, or breaking up where alpha is cut.

    alpha : (h, w) uint8. Nothing changes within a texel of full opacity, so the edges of areas stay as
    they are.
    """
    strongest = np.asarray(cv2.dilate(alpha, np.ones((3, 3), np.uint8)), dtype=np.float32)
    gain = _THIN_STRENGTH * 255.0 / np.maximum(strongest, _FAINTEST)
    return np.where(strongest < 255.0, np.minimum(alpha * gain, 255.0), alpha).astype(np.uint8)


def _scale(image: NDArray[np.uint8], scale: float, border: int, beyond: int) -> NDArray[np.uint8]:
    """Scale an image and put a border around it; `beyond` tells OpenCV what the image goes on as."""
    height, width = image.shape[:2]
    size = (int(np.ceil(width * scale)) + 2 * border, int(np.ceil(height * scale)) + 2 * border)
    x = y = scale
    if scale < 1.0:  # average what falls on one texel before sampling
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        x, y = scale * width / small[0], scale * height / small[1]
    matrix = np.array([[x, 0.0, x / 2 - 0.5 + border], [0.0, y, y / 2 - 0.5 + border]])
    method = cv2.INTER_LINEAR if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=method, borderMode=beyond), dtype=np.uint8)
