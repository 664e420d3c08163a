"""Masks as people send them: PNG files, white on the figure."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from animation_server.drawing import DAMAGE
from animation_server.errors import InputError


def decode_mask(data: bytes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode a PNG into (H, W) bool, True where it is bright; transparent parts are dark.

    size : width, height that it must have, checked before anything is decoded.
    Raises InputError with status 422 where it is no such file.
    """
    try:
        with PngImageFile(BytesIO(data)) as image:
            if image.size != size:
                raise _unfit(f"of the texture's size, {size[0]} x {size[1]}", "{} x {}".format(*image.size))
            paper = Image.new("RGBA", size, "black")
            paper.alpha_composite(image.convert("RGBA"))
    except DAMAGE as exc:
        raise _unfit("as base64", "something that is no whole PNG") from exc
    mask = np.asarray(paper.convert("L")) > 127
    if not mask.any():
        raise _unfit("with white on the figure", "nothing but black")
    return mask


def _unfit(expected: str, came: str) -> InputError:
    return InputError(f"mask: expected a PNG {expected}, came {came}.", code="invalid_mask", status=422)
