"""Of each frame, only the rectangle that changed: what formats with smooth transparency are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animation_server.render.raster import pack


def changed_parts(
    frames: Iterable[NDArray[np.uint8]], margin: int = 0
) -> Iterator[tuple[int, int, Image.Image]]:
    """For each frame (H, W, 4) uint8 premultiplied RGBA, what to put in place of what is shown: the left and
    top pixel, both even, as WebP wants it, and a picture with straight alpha.

    margin : pixels around what changed that are put there anew, even.

    The first is the whole frame. Frames are taken one at a time, and their memory may be used again.
    """
    shown = None
    for frame in frames:
        picture = pack(frame)
        if shown is None:
            left, top, right, bottom = 0, 0, picture.shape[1], picture.shape[0]
            shown = picture.copy()
        else:
            left, top, right, bottom = _bounds(picture != shown, margin)
            shown[top:bottom, left:right] = picture[top:bottom, left:right]
        yield left, top, _straight(frame[top:bottom, left:right])


def _bounds(changed: NDArray[np.bool_], margin: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around what is set and the margin, which may lie beyond the right and bottom
    edge; around one pixel where nothing is, to pass the time.
    """
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return 0, 0, 1, 1
    left, top = max(int(columns[0]) - margin, 0) & ~1, max(int(rows[0]) - margin, 0) & ~1
    return left, top, int(columns[-1]) + 1 + margin, int(rows[-1]) + 1 + margin


def _straight(premultiplied: NDArray[np.uint8]) -> Image.Image:
    """Undo the premultiplication; the image has its own memory."""
    alpha = premultiplied[..., 3:].astype(np.uint16)
    colour = (premultiplied[..., :3] * np.uint16(255) + alpha // 2) // np.maximum(alpha, 1)
    rgba = np.concatenate((colour.clip(0, 255), alpha), axis=2).astype(np.uint8)
    return Image.fromarray(rgba, "RGBA")
