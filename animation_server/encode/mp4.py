"""Writing MP4: H.264 as phones play it, by FFmpeg through PyAV.

Phones want 4:2:0 chroma, hence even sides, and the index (moov) ahead of the pictures (mdat), so that a clip
starts before all of it has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

_INDEX_BYTES = 4096
_INDEX_BYTES_PER_FRAME = 40
"""Room kept for the index: sizes, times and places of frames take some twenty bytes each."""

_QUALITY = "20"
"""Constant rate factor; about where drawings show no difference."""


def encode_mp4(frames: Iterable[NDArray[np.uint8]], rate: Fraction, n_frames: int) -> bytes:
    """Encode frames one at a time.

    frames : n_frames of (H, W, 4) uint8 RGBA, opaque, all of one size; a last odd row or column is doubled.
    rate : frames a second.
    """
    file = BytesIO()
    # room ahead of the pictures, instead of moving them afterwards: that takes a file with a name
    options = {"moov_size": str(_INDEX_BYTES + _INDEX_BYTES_PER_FRAME * n_frames)}
    with av.open(file, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": _QUALITY, "profile": "high"}
        stream.thread_count = 1  # clips are rendered side by side already
        # what players take for granted; without the tags some guess by the size
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = 1
        stream.codec_context.color_range = 1
        for number, pixels in enumerate(frames):
            picture = _make_even(pixels[..., :3])
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709
            )
            frame.pts = number
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _make_even(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    return np.ascontiguousarray(np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
