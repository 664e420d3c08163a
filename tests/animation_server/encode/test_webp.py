"""Writing WebPs: Pillow reads back the drawn transparency, nearly the colours, at the time that was meant."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from animation_server.encode.webp import encode_webp
from tests.smooth_clips import Frames, clips, peak_mb_of_a_long_clip, shown


@settings(max_examples=60, deadline=None)
@given(clips())
def test_keeps_transparency_exactly(frames: Frames) -> None:
    """In every frame, those that change nothing too, for as long as it was to be shown."""
    wanted = list(range(2, 2 + len(frames)))
    read, delays = shown(encode_webp(frames, wanted))
    np.testing.assert_array_equal(np.array(read)[..., 3], np.array(frames)[..., 3])
    assert delays == wanted


@pytest.mark.parametrize("background", [(255, 255, 255, 255), (120, 200, 90, 255), (0, 0, 0, 0)])
def test_what_moves_leaves_nothing_behind(background: tuple[int, ...]) -> None:
    """Colours come back nearly; where a square was is background again, without a trace of its edges."""
    frames = []
    for k in range(20):
        frame = np.full((80, 100, 4), background, np.uint8)
        frame[7 + k : 37 + k, 11 + 2 * k : 41 + 2 * k] = (30, 60, 200, 255)
        frames.append(frame)
    read, _ = shown(encode_webp(frames, [3] * 20))
    off = np.abs(np.array(read).astype(int) - np.array(frames))
    assert off.mean() < 2.5
    assert off[-1, :20].max() <= 8


@pytest.mark.parametrize(("loops", "count"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("n_frames", [1, 3])
def test_says_how_often_it_is_shown(loops: bool, count: int, n_frames: int) -> None:
    """For ever, which is none, or once."""
    frames = [np.full((4, 4, 4), k, np.uint8) for k in range(n_frames)]
    with Image.open(io.BytesIO(encode_webp(frames, [3] * n_frames, loops=loops))) as image:
        assert (image.info["loop"], getattr(image, "n_frames", 1)) == (count, n_frames)


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    """Frames are encoded one at a time; 600 MB of them are never held."""
    assert peak_mb_of_a_long_clip("webp") < 300
