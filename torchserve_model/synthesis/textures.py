"""A bank of noise, made once: drawing fresh noise for each picture would cost more than the drawing."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 640


@lru_cache(maxsize=1)
def _bank() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(20)
    white = rng.normal(size=(_SIDE, _SIDE)).astype(np.float32)
    octaves = [white]
    for sigma in (1.0, 2.5, 8.0, 30.0):
        layer = cv2.GaussianBlur(rng.normal(size=(_SIDE, _SIDE)).astype(np.float32), (0, 0), sigma)
        octaves.append((layer / layer.std()).astype(np.float32))
    fine = cv2.blur(rng.normal(size=(_SIDE, _SIDE)).astype(np.float32), (61, 2))
    broad = cv2.blur(rng.normal(size=(_SIDE, _SIDE)).astype(np.float32), (161, 9))
    fibre = np.asarray(fine + 2.8 * broad, dtype=np.float32)
    names = ("white", "fine", "grain", "mottle", "cloud")
    bank = dict(zip(names, octaves, strict=True))
    bank["wood"] = (fibre / fibre.std()).astype(np.float32)
    return bank


def patch(rng: np.random.Generator, kind: str, size: int) -> NDArray[np.float32]:
    """(size, size) float32 view of noise with unit deviation; kinds: white, fine, grain, mottle, cloud, wood.

    Do not write to it. Sizes over 640 wrap around.
    """
    layer = _bank()[kind]
    if size > _SIDE:
        times = -(-size // _SIDE)
        layer = np.tile(layer, (times, times))
    y, x = rng.integers(0, layer.shape[0] - size + 1, 2)
    view = layer[y : y + size, x : x + size]
    flip = int(rng.integers(8))
    if flip & 1:
        view = view[::-1]
    if flip & 2:
        view = view[:, ::-1]
    return view.T if flip & 4 else view
