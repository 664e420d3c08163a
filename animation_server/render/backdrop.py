"""What stands behind the figures: a colour, or a picture brought to size."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.drawing import DecodeLimits, decode_drawing
from animation_server.errors import InputError

Colour = tuple[int, int, int]

_WORKING_SIZE = 2048
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def parse_colour(text: str) -> Colour:
    """Read an RGB colour of the form #RRGGBB; ValueError where it is none."""
    if not _COLOUR.fullmatch(text):
        raise ValueError(f'expected a colour as "#RRGGBB", came {text[:40]!r}')
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def plain(colour: Colour, width: int, height: int) -> NDArray[np.uint8]:
    """A picture (height, width, 3) uint8 of one RGB colour."""
    return np.full((height, width, 3), colour, np.uint8)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) uint8 RGB, reduced where it is very large; transparent parts become
    white.

    Raises InputError where it cannot be read.
    """
    try:
        return decode_drawing(path.read_bytes(), DecodeLimits(working_size=_WORKING_SIZE)).rgb
    except OSError as exc:
        raise InputError(f"{path}: expected an image file, cannot read it: {exc.strerror}") from exc
    except InputError as exc:
        raise InputError(f"{path}: {exc}", code=exc.code, status=exc.status) from exc


def stretch(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Bring a picture (H, W, 3) to a size, its sides' ratio be what it may."""
    is_smaller = width < picture.shape[1]
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), dtype=np.uint8)


def cover(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Bring a picture (H, W, 3) to a size; of its longer direction only the middle is kept."""
    rows, columns = picture.shape[:2]
    scale = max(width / columns, height / rows)
    kept_columns, kept_rows = max(1, round(width / scale)), max(1, round(height / scale))
    left, top = (columns - kept_columns) // 2, (rows - kept_rows) // 2
    return stretch(picture[top : top + kept_rows, left : left + kept_columns], width, height)
