"""Clips with smooth transparency to encode, and what a viewer shows of them."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

Frames = list[NDArray[np.uint8]]

ENCODE_A_LONG_CLIP = """
import numpy as np
from animation_server.encode.{module} import encode_{module}
def frames():
    frame = np.zeros((1000, 1000, 4), np.uint8)
    for k in range(150):
        frame[:] = 0
        frame[k : k + 50, k : k + 50] = 255
        yield frame
encode_{module}(frames(), [3] * 150)
print(open("/proc/self/status").read())
"""


def peak_mb_of_a_long_clip(module: str) -> int:
    """Memory, MB, that a process needs at most to encode 600 MB of pixels with animation_server.encode's
    `module`.
    """
    command = [sys.executable, "-c", ENCODE_A_LONG_CLIP.format(module=module)]
    status = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    (peak_kb,) = re.findall(r"VmHWM:\s*(\d+)", status)
    return int(peak_kb) // 1024


@st.composite
def clips(draw: st.DrawFn) -> Frames:
    """One to six frames (H, W, 4) uint8 premultiplied RGBA; a part changes from one to the next."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    frames = [random_pixels(rng, height, width)]
    for change in draw(st.lists(st.sampled_from(["nothing", "part", "cleared"]), max_size=5)):
        frame = frames[-1].copy()
        top, left = rng.integers(height), rng.integers(width)
        part = frame[top : top + rng.integers(1, 20), left : left + rng.integers(1, 20)]
        if change == "part":
            part[:] = random_pixels(rng, *part.shape[:2])
        elif change == "cleared":
            part[:] = 0
        frames.append(frame)
    return frames


def random_pixels(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 4) uint8 premultiplied RGBA; a third each opaque, transparent and between."""
    between = rng.integers(1, 255, (height, width, 1))
    alpha = np.choose(rng.integers(3, size=(height, width, 1)), [0, between, 255])
    return np.concatenate((rng.integers(0, alpha + 1, (height, width, 3)), alpha), axis=2).astype(np.uint8)


def shown(data: bytes) -> tuple[Frames, list[int]]:
    """Frames as Pillow composes them, premultiplied again, and delays in centiseconds."""
    frames, delays = [], []
    with Image.open(io.BytesIO(data)) as image:
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frames.append(premultiplied(np.asarray(image.convert("RGBA"))))
            delays.append(round(image.info["duration"] / 10))
    return frames, delays


def premultiplied(straight: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA with its colours multiplied by their alpha."""
    alpha = straight[..., 3:].astype(np.uint32)
    return np.concatenate(((straight[..., :3] * alpha + 127) // 255, alpha), axis=2).astype(np.uint8)
