"""WebP and APNG, both with smooth transparency, written by Pillow."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image


def encode_webp(frames: Iterable[NDArray[np.uint8]], delays_cs: ArrayLike, *, loops: bool = True) -> bytes:
    """Encode frames (H, W, 4) uint8 premultiplied RGBA as an animated WebP, repeated for ever or shown once.

    Transparency is kept exactly, colours nearly: without loss the file would be some five times as large.
    """
    return _encode(
        frames, delays_cs, loops, "WEBP", quality=80, alpha_quality=100, method=2, background=(0, 0, 0, 0)
    )


def encode_apng(frames: Iterable[NDArray[np.uint8]], delays_cs: ArrayLike, *, loops: bool = True) -> bytes:
    """Encode frames (H, W, 4) uint8 premultiplied RGBA as an animated PNG, without loss."""
    return _encode(
        frames, delays_cs, loops, "PNG", disposal=1, blend=0, default_image=False, compress_level=6
    )


def _encode(
    frames: Iterable[NDArray[np.uint8]],
    delays_cs: ArrayLike,
    loops: bool,
    format_name: str,
    **options: object,
) -> bytes:
    # a list, because Pillow's PNG writer goes through the frames twice
    first, *images = map(_straight, frames)
    out = BytesIO()
    durations_ms = (np.asarray(delays_cs) * 10).tolist()
    # both formats count how often a clip is shown, none meaning for ever
    first.save(
        out,
        format_name,
        save_all=True,
        append_images=images,
        duration=durations_ms,
        loop=0 if loops else 1,
        **options,
    )
    return out.getvalue()


def _straight(premultiplied: NDArray[np.uint8]) -> Image.Image:
    """Undo the premultiplication; the image has its own memory."""
    alpha = premultiplied[..., 3:].astype(np.uint16)
    colour = (premultiplied[..., :3] * np.uint16(255) + alpha // 2) // np.maximum(alpha, 1)
    rgba = np.concatenate((colour.clip(0, 255), alpha), axis=2).astype(np.uint8)
    return Image.fromarray(rgba, "RGBA")
