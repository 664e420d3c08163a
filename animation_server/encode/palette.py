"""Choosing a clip's palette, and finding colours in it, by how different colours look.

Differences are measured in OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_RARITY = 0.5
"""Colours weigh by their count to this power, so that a little red on much white gets its share of the
palette.
"""

_LLOYD_ROUNDS = 4


def rgb_to_oklab(rgb: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float64]:
    """SRGB (..., 3) of 0 to 255 to OKLab (..., 3)."""
    encoded = np.asarray(rgb, dtype=np.float64) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


@dataclass(frozen=True)
class Palette:
    """Colours of a clip. Index 0 of an encoded picture means transparent; colour k has index k + 1.

    colours : (n, 3) uint8 RGB, n at most 255.
    has_ground : whether the first one is the colour of a plain background, which such pixels get exactly.
    """

    colours: NDArray[np.uint8]
    has_ground: bool = False

    @property
    def bits(self) -> int:
        """Bits an index takes, 2 at least as GIF wants."""
        return max(2, int(np.ceil(np.log2(len(self.colours) + 1))))


def choose_palette(
    samples: NDArray[np.uint8],
    n_colours: int = 255,
    tolerance: float = 0.0,
    ground: NDArray[np.uint8] | None = None,
) -> Palette:
    """Choose colours that stand for samples.

    samples : (n, 3) uint8 RGB; their frequencies count. n_colours : 1 to 255; the palette may have fewer.
    tolerance : OKLab difference that colours may be off by in the mean; a smaller palette that keeps to it is
    preferred. It is one less than a power of two, for an index more costs a bit more.
    ground : (3,) uint8 RGB, a colour to take as it is, for it fills large areas and meets the page around.

    Boxes of OKLab are split where colours vary most, then refined as k-means (Lloyd). No samples give black.
    """
    fixed = np.zeros((0, 3), np.uint8) if ground is None else ground[None]
    if not len(fixed) < n_colours <= 255:
        raise ValueError(f"n_colours: want {len(fixed) + 1} to 255, got {n_colours}")
    if ground is not None:
        samples = samples[(samples != ground).any(axis=1)]
    if not len(samples):
        return Palette(np.zeros((1, 3), np.uint8) if ground is None else fixed, has_ground=ground is not None)
    # colours that agree in five bits a channel count as one, their mean
    wide = samples.astype(np.int64)
    bins = (wide >> 3) @ np.array([1024, 32, 1])
    counts = np.bincount(bins, minlength=32768)
    occupied = np.flatnonzero(counts)
    totals = np.stack([np.bincount(bins, wide[:, c], minlength=32768)[occupied] for c in range(3)], axis=1)
    colours: NDArray[np.float64] = totals / counts[occupied, None]
    weights = counts[occupied].astype(np.float64) ** _RARITY
    lab = rgb_to_oklab(colours)
    for size in (*(size for size in (15, 31, 63, 127) if size < n_colours), n_colours):
        group = _cluster(lab, weights, size - len(fixed))
        error = ((lab - _means(lab, weights, group)[group]) ** 2).sum(axis=1)
        if np.average(error, weights=weights) <= tolerance**2:
            break
    # a group is shown as the mean of its pixels, so that areas keep their average colour
    means = _means(colours, counts[occupied].astype(np.float64), group)
    chosen = np.unique(np.rint(means).astype(np.uint8), axis=0)
    return Palette(np.concatenate((fixed, chosen)), has_ground=ground is not None)


def _cluster(lab: NDArray[np.float64], weights: NDArray[np.float64], n_groups: int) -> NDArray[np.int64]:
    """Group (n) of each colour; at most n_groups, none empty."""
    group = _split_boxes(lab, weights, n_groups)
    for _ in range(_LLOYD_ROUNDS):
        centres = _means(lab, weights, group)
        # the nearest centre, by |c|^2 - 2 c.x
        group = ((centres**2).sum(axis=1) - 2.0 * lab @ centres.T).argmin(axis=1)
        _, group = np.unique(group, return_inverse=True)
    return group


def _means(
    values: NDArray[np.float64], weights: NDArray[np.float64], group: NDArray[np.int64]
) -> NDArray[np.float64]:
    total = np.bincount(group, weights)
    sums = [np.bincount(group, weights * values[:, c]) for c in range(values.shape[1])]
    means: NDArray[np.float64] = np.stack(sums, axis=1) / total[:, None]
    return means


def _split_boxes(lab: NDArray[np.float64], weights: NDArray[np.float64], n_groups: int) -> NDArray[np.int64]:
    """Group (n) of each colour: the group that varies most is halved at its mean until there are enough."""
    group = np.zeros(len(lab), dtype=np.int64)
    members = [np.arange(len(lab))]
    spread = [_spread(lab, weights, members[0])]
    while len(members) < n_groups:
        worst = int(np.argmax([amount for amount, _ in spread]))
        amount, axis = spread[worst]
        if amount <= 0.0:
            break
        index = members[worst]
        values = lab[index, axis]
        is_above = values > np.average(values, weights=weights[index])
        if not 0 < is_above.sum() < len(index):  # rounding: equal but for the last bit
            is_above = values > values.min()
        if not 0 < is_above.sum() < len(index):
            spread[worst] = (0.0, axis)
            continue
        members[worst], new = index[~is_above], index[is_above]
        group[new] = len(members)
        members.append(new)
        spread[worst] = _spread(lab, weights, members[worst])
        spread.append(_spread(lab, weights, new))
    return group


def _spread(
    lab: NDArray[np.float64], weights: NDArray[np.float64], index: NDArray[np.int64]
) -> tuple[float, int]:
    """Weighted sum of squared deviations of a group along the axis where it is largest, and that axis."""
    values, w = lab[index], weights[index, None]
    deviation = (w * (values - (w * values).sum(0) / w.sum()) ** 2).sum(0)
    axis = int(deviation.argmax())
    return float(deviation[axis]), axis


def similar_indices(palette: Palette, tolerance: float, most: int = 16) -> NDArray[np.uint8]:
    """For each index (2 ** bits) of a palette up to `most` others that look alike, the most similar first.

    tolerance : OKLab distance. Rows are filled up with the index itself; transparent is like nothing else.
    Returns (2 ** bits, k) uint8.
    """
    lab = rgb_to_oklab(palette.colours)
    distance = np.sqrt(((lab[:, None] - lab) ** 2).sum(-1))
    order = np.argsort(distance, axis=1, kind="stable")[:, 1 : most + 1]
    near = np.take_along_axis(distance, order, axis=1) <= tolerance
    n_colours = len(lab)
    similar = np.repeat(np.arange(1 << palette.bits)[:, None], order.shape[1], axis=1)
    similar[1 : n_colours + 1] = np.where(near, order + 1, np.arange(1, n_colours + 1)[:, None])
    return similar[:, : int(near.sum(axis=1).max(initial=0))].astype(np.uint8)


class PaletteMap:
    """Pictures to palette indices. Looks each colour up once and remembers it, in six bits a channel."""

    def __init__(self, palette: Palette) -> None:
        self._lab = rgb_to_oklab(palette.colours)
        red, green, blue = palette.colours[0].tolist()
        self._ground = 255 << 24 | blue << 16 | green << 8 | red if palette.has_ground else 0
        self._known = np.zeros(1 << 18, np.uint8)

    def to_indices(
        self, picture: NDArray[np.uint32], indices: NDArray[np.uint8], box: tuple[int, int, int, int]
    ) -> None:
        """Write the indices of a picture's box (left, top, right, bottom); half transparent and more
        becomes 0.

        picture : (H, W) uint32 premultiplied RGBA. indices : (H, W) uint8, written within the box only.
        """
        _to_indices(picture, indices, box, self._known, self._lab, self._ground)


@njit(nogil=True, cache=True)
def _to_indices(
    picture: NDArray[np.uint32],
    indices: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    known: NDArray[np.uint8],
    palette_lab: NDArray[np.float64],
    ground: int,
) -> None:
    left, top, right, bottom = box
    last_pixel, index = 0, 0
    for row in range(top, bottom):
        for column in range(left, right):
            pixel = int(picture[row, column])
            if pixel != last_pixel:  # most of a drawing is flat
                last_pixel = pixel
                alpha = pixel >> 24
                if alpha < 128:
                    index = 0
                elif pixel == ground:
                    index = 1
                else:
                    red, green, blue = pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255
                    if alpha < 255:  # undo the premultiplication
                        half = alpha >> 1
                        red = min(255, (red * 255 + half) // alpha)
                        green = min(255, (green * 255 + half) // alpha)
                        blue = min(255, (blue * 255 + half) // alpha)
                    key = (red >> 2) << 12 | (green >> 2) << 6 | blue >> 2
                    if known[key] == 0:
                        known[key] = 1 + _nearest(red | 3, green | 3, blue | 3, palette_lab)
                    index = int(known[key])
            indices[row, column] = index


@njit(nogil=True, cache=True)
def _nearest(red: int, green: int, blue: int, palette_lab: NDArray[np.float64]) -> int:
    linear = np.zeros(3)
    for channel, value in enumerate((red, green, blue)):
        encoded = (value - 1.5) / 255.0  # the middle of the four values that share a key
        if encoded <= 0.04045:
            linear[channel] = max(encoded, 0.0) / 12.92
        else:
            linear[channel] = ((encoded + 0.055) / 1.055) ** 2.4
    cones, lab = np.zeros(3), np.zeros(3)
    for row in range(3):
        for channel in range(3):
            cones[row] += _TO_CONES[row, channel] * linear[channel]
    for row in range(3):
        for channel in range(3):
            lab[row] += _TO_LAB[row, channel] * np.cbrt(cones[channel])
    best, smallest = 0, np.inf
    for k in range(len(palette_lab)):
        distance = 0.0
        for channel in range(3):
            distance += (palette_lab[k, channel] - lab[channel]) ** 2
        if distance < smallest:
            best, smallest = k, distance
    return best
