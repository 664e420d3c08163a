"""Files of pictures as clients send them: drawings, and what is none."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.figures import draw_figure
from tests.places import SAMPLE


def png(pixels: np.ndarray) -> bytes:
    """Write pixels as a PNG. pixels : (H, W, 3) or (H, W) uint8."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


DRAWING = png(draw_figure().rgb)
BLANK = png(np.full((300, 300, 3), 250, dtype=np.uint8))
TEXT_AS_PNG = b"This is a text file.\n" * 20


def drawing(number: int) -> bytes:
    """The figure on a sheet whose one pixel makes it another drawing."""
    rgb = draw_figure().rgb
    rgb[number // 250, 299] = (250 - number % 250, 250, 250)
    return png(rgb)


def sample(variant: int) -> bytes:
    """The sample drawing; another `variant` is another picture, so that nothing is found ready."""
    with Image.open(SAMPLE) as image:
        return png(np.asarray(image.convert("RGB").resize((500 + variant, 500))))


def mask_text(mask: np.ndarray) -> str:
    """A mask as JSON carries it. mask : (H, W) of what is true or 1."""
    return base64.b64encode(png(mask.astype(np.uint8) * 255)).decode()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes of pixels: a decompression bomb."""
    return png_of_rows(width, height, bytes(100_000))


def png_of_rows(width: int, height: int, rows: bytes, level: int = 9) -> bytes:
    """A PNG of 8-bit RGBA with these rows, each of which begins with its filter's number, 0."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, level))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")
