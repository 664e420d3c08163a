"""Writing animated PNG: smooth transparency, without loss.

Every changed rectangle is compressed by Pillow as a still picture, whose data are then put in their place in
the clip. Pillow's own writer of clips would hold all frames at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from struct import pack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from animation_server.encode.changes import changed_parts

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEEP, _REPLACE = 0, 0
"""The frame is left standing; its pixels take the place of those shown, alpha and all."""

_MOST = 65535


def encode_apng(frames: Iterable[NDArray[np.uint8]], delays_cs: ArrayLike, *, loops: bool = True) -> bytes:
    """Encode frames, one at a time, repeated for ever or shown once.

    frames : (H, W, 4) uint8 premultiplied RGBA. delays_cs : (n,) centiseconds each is shown; of one longer
    than ten minutes fractions are dropped, which the format cannot say.
    """
    delays = np.asarray(delays_cs).tolist()
    chunks, number = [_SIGNATURE], 0
    for (left, top, image), delay in zip(changed_parts(frames), delays, strict=True):
        data = _compressed(image)
        if not number:
            chunks.append(_chunk(b"IHDR", pack(">IIBBBBB", *image.size, 8, 6, 0, 0, 0)))
            chunks.append(_chunk(b"acTL", pack(">II", len(delays), 0 if loops else 1)))
        place = pack(">IIIII", number, *image.size, left, top)
        chunks.append(_chunk(b"fcTL", place + _seconds(delay) + bytes([_KEEP, _REPLACE])))
        if not number:
            chunks.append(_chunk(b"IDAT", data))
            number += 1
        else:
            chunks.append(_chunk(b"fdAT", pack(">I", number + 1) + data))
            number += 2
    return b"".join((*chunks, _chunk(b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


def _seconds(delay_cs: int) -> bytes:
    """A fraction of two numbers up to 65535."""
    if delay_cs <= _MOST:
        return pack(">HH", delay_cs, 100)
    return pack(">HH", min(delay_cs // 100, _MOST), 1)


def _compressed(image: Image.Image) -> bytes:
    """The data of a still PNG, filters and all."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=6)
    return b"".join(data for kind, data in _chunks(file.getvalue()) if kind == b"IDAT")


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
