"""MP4 as phones play it, read back by FFmpeg."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from animation_server.encode.mp4 import encode_mp4

ORANGE, BLUE = (240, 130, 20), (30, 60, 200)


def sliding(n_frames: int, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """A blue square that moves over orange."""
    for k in range(n_frames):
        frame = np.full((height, width, 4), (*ORANGE, 255), np.uint8)
        frame[20:60, k : k + 40, :3] = BLUE
        yield frame


def boxes(data: bytes) -> list[tuple[str, int]]:
    """Kinds and places of the file's outermost boxes."""
    found, at = [], 0
    while at < len(data):
        found.append((data[at + 4 : at + 8].decode(), at))
        at += int.from_bytes(data[at : at + 4], "big")
    assert at == len(data)
    return found


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(25), Fraction(15100, 503), Fraction(1, 5)])
@pytest.mark.parametrize(("height", "width"), [(80, 120), (81, 121)])
def test_a_clip_is_as_phones_want_it(rate: Fraction, height: int, width: int) -> None:
    """H.264 in 4:2:0 with even sides; every frame for the same time; the right colours."""
    with av.open(io.BytesIO(encode_mp4(sliding(40, height, width), rate, 40))) as container:
        (stream,) = container.streams.video
        frames = list(container.decode(stream))
        duration = Fraction(stream.duration or 0) * (stream.time_base or 0)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert {(frame.width, frame.height) for frame in frames} == {(120 + width % 2 * 2, 80 + height % 2 * 2)}
    assert len(frames) == 40
    assert abs(duration - 40 / rate) < 1 / rate
    times = [frame.time for frame in frames]
    np.testing.assert_allclose(times, np.arange(40) / float(rate), atol=2e-4 / float(rate) + 1e-4)
    pixels = frames[30].to_ndarray(format="rgb24")
    assert np.abs(pixels[40, 50].astype(int) - BLUE).max() < 12
    assert np.abs(pixels[70, 20].astype(int) - ORANGE).max() < 12


@pytest.mark.parametrize("n_frames", [1, 30, 1200])
def test_the_index_comes_first(n_frames: int) -> None:
    """A player can start before the whole file is there, however long the clip."""
    kinds = [kind for kind, _ in boxes(encode_mp4(sliding(n_frames, 64, 1300), Fraction(30), n_frames))]
    assert kinds.index("moov") < kinds.index("mdat")
