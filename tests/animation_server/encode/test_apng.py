"""Writing APNGs: decoders read back exactly what was drawn, at the time it was meant."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from PIL import Image

from animation_server.encode.apng import encode_apng
from tests.smooth_clips import (
    Frames,
    clips,
    peak_mb_of_a_long_clip,
    premultiplied,
    random_pixels,
    shown,
)


@settings(max_examples=60, deadline=None)
@given(clips())
def test_decodes_to_exactly_what_was_drawn(frames: Frames) -> None:
    """Every frame, those that change nothing too, for as long as it was to be shown."""
    wanted = list(range(2, 2 + len(frames)))
    read, delays = shown(encode_apng(frames, wanted))
    np.testing.assert_array_equal(read, frames)
    assert delays == wanted


def test_another_decoder_agrees() -> None:
    """FFmpeg, which checks what Pillow does not: sums and sequence numbers."""
    rng = np.random.default_rng(2)
    frames = [random_pixels(rng, 30, 20) for _ in range(5)]
    with av.open(io.BytesIO(encode_apng(frames, [4] * 5)), format="apng") as container:
        decoded = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    np.testing.assert_array_equal([premultiplied(frame) for frame in decoded], frames)


def test_sends_only_what_changed() -> None:
    """A figure that moves in a corner costs its own pixels, not the whole picture's."""
    rng = np.random.default_rng(3)
    first = random_pixels(rng, 100, 100)
    second = first.copy()
    second[90:, 95:] = random_pixels(rng, 10, 5)
    one, two, same = (
        len(encode_apng(frames, [3] * len(frames))) for frames in ([first], [first, second], [first] * 2)
    )
    assert two - one < 500
    assert same - one < 100


def test_frames_may_use_their_memory_again() -> None:
    """As frames that are drawn one after the other do."""

    def drawn() -> Iterator[NDArray[np.uint8]]:
        frame = np.zeros((10, 10, 4), np.uint8)
        for k in range(3):
            frame[k] = 255
            yield frame

    read, _ = shown(encode_apng(drawn(), [3, 3, 3]))
    assert [int((frame == 255).all(axis=(1, 2)).sum()) for frame in read] == [1, 2, 3]


@pytest.mark.parametrize(("loops", "count"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("n_frames", [1, 3])
def test_says_how_often_it_is_shown(loops: bool, count: int, n_frames: int) -> None:
    """For ever, which is none, or once."""
    frames = [np.full((4, 4, 4), k, np.uint8) for k in range(n_frames)]
    with Image.open(io.BytesIO(encode_apng(frames, [3] * n_frames, loops=loops))) as image:
        assert (image.info["loop"], getattr(image, "n_frames", 1)) == (count, n_frames)


def test_long_delays_lose_their_fractions() -> None:
    """The format has 16 bits for each part of a fraction."""
    frames = [np.zeros((4, 4, 4), np.uint8)] * 3
    _, delays = shown(encode_apng(frames, [65535, 123_456, 10_000_000]))
    assert delays == [65535, 123_400, 6_553_500]


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    """Frames are encoded one at a time; 600 MB of them are never held."""
    assert peak_mb_of_a_long_clip("apng") < 300
