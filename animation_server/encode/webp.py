"""Writing animated WebP: smooth transparency, small files.

Every changed rectangle is compressed by Pillow as a still picture, whose data are then put in their place in
the clip. Pillow's own writer of clips would hold all frames at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from struct import pack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from animation_server.encode.changes import changed_parts

_ANIMATED, _TRANSPARENT = 0x02, 0x10
_KEEP_AND_REPLACE = 0x02
"""The frame is left standing; its pixels take the place of those shown, alpha and all."""

_MARGIN = 16
"""Pixels. Compression smears edges, not farther than this, and what moves must not leave that behind."""

_LONGEST_MS = (1 << 24) - 1


def encode_webp(frames: Iterable[NDArray[np.uint8]], delays_cs: ArrayLike, *, loops: bool = True) -> bytes:
    """Encode frames, one at a time, repeated for ever or shown once.

    frames : (H, W, 4) uint8 premultiplied RGBA. delays_cs : (n,) centiseconds each is shown, four hours at
    most.

    Transparency is kept exactly, colours nearly: without loss the file would be some five times as large.
    """
    chunks: list[bytes] = []
    delays = np.asarray(delays_cs).tolist()
    for (left, top, image), delay in zip(changed_parts(frames, _MARGIN), delays, strict=True):
        if not chunks:
            width, height = image.size
            chunks.append(_chunk(b"VP8X", pack("<I", _ANIMATED | _TRANSPARENT) + _u24(width - 1, height - 1)))
            chunks.append(_chunk(b"ANIM", pack("<IH", 0, 0 if loops else 1)))
        place = _u24(left // 2, top // 2, image.width - 1, image.height - 1, min(delay * 10, _LONGEST_MS))
        chunks.append(_chunk(b"ANMF", place + bytes([_KEEP_AND_REPLACE]) + _compressed(image)))
    return _chunk(b"RIFF", b"".join((b"WEBP", *chunks)))


def _u24(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(3, "little") for number in numbers)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + pack("<I", len(data)) + data + bytes(len(data) % 2)


def _compressed(image: Image.Image) -> bytes:
    """The chunks of a still WebP that hold its colours and its alpha."""
    file = BytesIO()
    image.save(file, "WEBP", quality=80, alpha_quality=100, method=2)
    return b"".join(
        _chunk(kind, data) for kind, data in _chunks(file.getvalue()) if kind in (b"ALPH", b"VP8 ", b"VP8L")
    )


def _chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(b"RIFF....WEBP")
    while at < len(webp):
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        yield webp[at : at + 4], webp[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
