"""Stick figures."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bvh_tools.authoring import build_clip
from bvh_tools.convert import change_up
from bvh_tools.errors import BvhError
from bvh_tools.preview import draw_frames, encode_gif, encode_png, sheet
from bvh_tools.resample import resample
from bvh_tools.trim import trim

REACH = """
duration: 1.1
fps: 30
keys:
  - {at: 0, aim: {LeftArm: [1, 0, 0], RightArm: [0, -1, 0.01]}}
  - {at: 1, aim: {LeftArm: [0, 0, 1], RightArm: [0, -1, 0.01]}}
"""


def _columns_of(picture: np.ndarray, channel: int) -> np.ndarray:
    """Columns in which one of the limbs' colours stands out: 0 the right's red, 2 the left's blue."""
    colour = picture.astype(int)
    return np.flatnonzero(((colour[..., channel] - colour[..., 2 - channel]) > 60).any(axis=0))


def test_the_left_is_at_the_viewers_right_and_forward_leads_right_from_the_side() -> None:
    """Seen from the front, a left arm held out points right; seen from the side, one held ahead does."""
    clip = build_clip(REACH)
    front = draw_frames(clip, [0], 200)[0]
    assert _columns_of(front, 2).max() > 150
    assert _columns_of(front, 2).min() > _columns_of(front, 0).min()
    before, after = draw_frames(clip, [0, 32], 200, "side")
    assert _columns_of(after, 2).max() > _columns_of(before, 2).max() + 20


def test_the_up_axis_makes_no_difference_to_the_picture() -> None:
    """A clip turned z up looks the same when its up axis is told."""
    clip = build_clip(REACH)
    turned = draw_frames(change_up(clip, "+y", "+z"), [0], 100, up="+z")[0]
    assert np.abs(turned.astype(int) - draw_frames(clip, [0], 100)[0].astype(int)).max() <= 8


@pytest.mark.parametrize(("count", "shape"), [(12, (200, 600, 3)), (4, (100, 400, 3)), (99, (600, 600, 3))])
def test_sheets_hold_as_many_frames_as_asked_for(count: int, shape: tuple[int, int, int]) -> None:
    """Six in a row, no more than the clip has."""
    picture = sheet(build_clip(REACH), count, size=100)
    assert picture.shape == shape
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(picture)))), picture)


@pytest.mark.parametrize(("frames", "seconds"), [(1, 1000.0), (300, 10.0)])
def test_poses_too_long_for_a_gif_are_refused(frames: int, seconds: float) -> None:
    """A GIF counts up to 65535 hundredths of a second, and frames alike are one picture."""
    still = resample(trim(build_clip(REACH), end=1), frames)
    with pytest.raises(BvhError, match=r"more than 655.35 s, .* frames come every"):
        encode_gif(replace(still, frame_time=seconds), 8)
    assert encode_gif(replace(still, frame_time=600.0 / frames), 8)


def test_gifs_last_as_long_as_the_clip() -> None:
    """Delays are whole centiseconds whose sum is the duration."""
    image = Image.open(io.BytesIO(encode_gif(build_clip(REACH), 80)))
    durations = []
    for frame in range(getattr(image, "n_frames", 1)):
        image.seek(frame)
        durations.append(image.info["duration"])
    assert sum(durations) == 1100
