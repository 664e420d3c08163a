"""A character and a motion in, a clip out."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from PIL import Image

from animation_server.animate import AnimationOptions, animate, animate_puppet, prepare
from animation_server.character import Character
from animation_server.encode import gif, lzw, palette
from animation_server.errors import InputError
from animation_server.render import raster
from animation_server.rig import arap, mask_topology, parts
from tests.puppetry import drawn_character, odd_characters, swaying

SMALL = AnimationOptions(size=(120, 90))


def frames_of(data: bytes) -> tuple[list[NDArray[np.uint8]], float]:
    """Frames (H, W, 4) RGBA and the duration in seconds."""
    frames, milliseconds = [], 0.0
    with Image.open(io.BytesIO(data)) as image:
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGBA")))
            milliseconds += image.info.get("duration", 0.0)
    return frames, milliseconds / 1000


@pytest.mark.parametrize(
    ("name", "kind"), [("gif", "image/gif"), ("webp", "image/webp"), ("apng", "image/apng")]
)
def test_every_format_holds_the_clip(name: Any, kind: str) -> None:
    """Size, frames, duration and transparency are as the clip says."""
    character = drawn_character()
    clip = animate(character, swaying(character), replace(SMALL, format=name))
    frames, duration = frames_of(clip.data)
    assert clip.content_type == kind
    assert (clip.width, clip.height) == (120, 90) == frames[0].shape[1::-1]
    assert len(frames) == clip.n_frames == 6
    assert duration == pytest.approx(0.24)
    assert clip.duration == pytest.approx(0.24)
    for frame in frames:
        assert frame[0, 0, 3] == 0
        assert 0.02 < (frame[..., 3] == 255).mean() < 0.9


def test_the_rest_pose_shows_the_drawing() -> None:
    """The first frame is the figure itself: outlined in ink, white inside, nothing outside."""
    character = drawn_character()
    motion = replace(swaying(character, 1), loops=True)
    clip = animate(character, motion, AnimationOptions(size=(300, 380), format="apng"))
    (frame,), _ = frames_of(clip.data)
    rows, columns = np.nonzero(frame[..., 3] > 127)
    mask_rows, mask_columns = np.nonzero(character.mask)
    wanted_ratio = np.ptp(mask_columns) / np.ptp(mask_rows)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(wanted_ratio, rel=0.03)
    solid = frame[frame[..., 3] == 255][:, :3]
    assert (solid.min(axis=1) > 240).mean() > 0.4
    assert (solid.max(axis=1) < 110).mean() > 0.02


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (250, 250, 250), (18, 52, 86)])
def test_a_plain_background_has_the_colour_asked_for(background: tuple[int, int, int]) -> None:
    """All round, exactly, so that a GIF has no edge on such a page; be the figure's paper much like it."""
    character = drawn_character()
    grain = np.random.default_rng(0).integers(0, 6, character.texture.shape)
    near = replace(
        character, texture=(character.texture - np.minimum(character.texture, grain)).astype(np.uint8)
    )
    clip = animate(near, swaying(near), replace(SMALL, background=background))
    for frame in frames_of(clip.data)[0]:
        assert (frame[..., 3] == 255).all()
        rim = np.concatenate((frame[0], frame[-1], frame[:, 0], frame[:, -1]))
        assert (rim == (*background, 255)).all()


def test_a_picture_stands_behind_the_figure() -> None:
    """It covers the whole frame, its middle in the middle, and the figure is drawn over it."""
    character = drawn_character()
    picture = np.zeros((50, 200, 3), np.uint8)
    picture[:, :100], picture[:, 100:] = (250, 0, 0), (0, 0, 250)
    options = replace(SMALL, format="apng")
    clip = animate_puppet(prepare(character), swaying(character), options, picture=picture)
    for frame in frames_of(clip.data)[0]:
        assert (frame[..., 3] == 255).all()
        assert frame[2, 2].tolist() == [250, 0, 0, 255]
        assert frame[2, -3].tolist() == [0, 0, 250, 255]
        assert (frame[..., 1] > 200).any()


def test_an_mp4_is_white_where_others_are_transparent() -> None:
    """Unless a colour is asked for; odd sides are made even."""
    character = drawn_character()
    for background, corner in ((None, (255, 255, 255)), ((20, 90, 160), (20, 90, 160))):
        options = AnimationOptions(size=(121, 91), format="mp4", background=background)
        clip = animate(character, swaying(character), options)
        with av.open(io.BytesIO(clip.data)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert clip.content_type == "video/mp4"
        assert (clip.width, clip.height, clip.n_frames) == (122, 92, len(frames))
        assert np.abs(frames[-1][0, 0].astype(int) - corner).max() < 6


def test_speed_divides_the_duration() -> None:
    """Frames are left out rather than shown faster than the rate allows."""
    character = drawn_character()
    motion = swaying(character, 30)
    clips = [animate(character, motion, replace(SMALL, speed=speed)) for speed in (0.5, 1.0, 3.0)]
    assert [clip.duration for clip in clips] == pytest.approx([2.4, 1.2, 0.4])
    assert [clip.n_frames for clip in clips] == [30, 30, 10]


@pytest.mark.parametrize("name", ["gif", "webp", "apng"])
@pytest.mark.parametrize("loop", [True, False])
def test_a_clip_is_repeated_or_not(name: Any, loop: bool) -> None:
    """For ever, or not at all."""
    character = drawn_character()
    clip = animate(character, swaying(character), replace(SMALL, format=name, loop=loop))
    with Image.open(io.BytesIO(clip.data)) as image:
        # a GIF that says nothing is shown once; the others count how often
        assert image.info.get("loop", 1) == (0 if loop else 1)


@given(odd_characters())
@settings(max_examples=50, deadline=None)
def test_no_character_is_too_odd(character: Character) -> None:
    """Masks of one pixel, islands, holes, joints outside and coincident: always a readable clip."""
    clip = animate(character, swaying(character, 3, 0.3), AnimationOptions(size=(40, 30)))
    frames, duration = frames_of(clip.data)
    assert len(frames) == 3
    assert duration == pytest.approx(0.12)


def test_a_prepared_puppet_serves_many_motions_and_threads() -> None:
    """Clips are the same bytes whether made alone, again or side by side."""
    character = drawn_character()
    puppet = prepare(character)
    motions = [swaying(character, 5, seed=seed) for seed in range(4)]
    alone = [animate(character, motion, SMALL).data for motion in motions]
    with ThreadPoolExecutor(4) as pool:
        assert [clip.data for clip in pool.map(lambda m: animate_puppet(puppet, m, SMALL), motions)] == alone


def test_one_clip_compiles_all_that_any_other_needs() -> None:
    """No option, format or character makes a kernel compile again in the middle of a request."""
    character = drawn_character()
    frozen = swaying(character, 1)
    frozen.draw_order.flags.writeable = False
    character.mask.flags.writeable = False
    animate(character, swaying(character), SMALL)
    animate(character, frozen, replace(SMALL, background=(1, 2, 3)))
    animate(character, replace(frozen, draw_order=frozen.draw_order.astype(np.int32)), SMALL)
    modules = (gif, lzw, palette, raster, arap, mask_topology, parts)
    kernels = [value for module in modules for value in vars(module).values() if hasattr(value, "signatures")]
    assert len(kernels) > 10
    compiled_anew = [kernel.py_func.__qualname__ for kernel in kernels if len(kernel.signatures) > 1]
    # test_raster draws single triangles, which the server never does
    assert set(compiled_anew) <= {"draw_triangle"}


def test_progress_counts_every_frame() -> None:
    """One call a frame, in order."""
    character = drawn_character()
    calls: list[tuple[int, int]] = []
    animate(character, swaying(character), SMALL, lambda done, total: calls.append((done, total)))
    assert calls == [(k, 6) for k in range(1, 7)]


def test_fewer_frames_keep_the_duration() -> None:
    """max_frames thins a clip out, it does not cut it off."""
    character = drawn_character()
    clip = animate(character, swaying(character, 10), replace(SMALL, max_frames=4))
    assert clip.n_frames == 4
    assert clip.duration == pytest.approx(0.4)


def test_frames_that_are_asked_for_are_shown() -> None:
    """Where a number of frames is named, neither the frame rate nor the other bound thins them out."""
    character = drawn_character()
    options = replace(SMALL, frames=10, max_fps=1.0, max_frames=2)
    assert animate(character, swaying(character, 10), options).n_frames == 10


def test_a_motion_for_another_skeleton_is_refused() -> None:
    """The message names both sets of joints."""
    character = drawn_character()
    motion = swaying(character)
    other = replace(motion, joint_names=("tail", *motion.joint_names[1:]))
    with pytest.raises(InputError, match="got tail"):
        animate(character, other, SMALL)
    with pytest.raises(InputError, match="at least one frame"):
        animate(character, replace(motion, joints_xyz=motion.joints_xyz[:0]), SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 10)},
        {"size": (10, 99999)},
        {"format": "bmp"},
        {"max_fps": 0.0},
        {"max_frames": 0},
        {"frames": 0},
        {"background": (0, 0, 256)},
        {"background": "paper"},
        {"speed": 0.0},
        {"speed": float("nan")},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    """Each with a sentence that names the option and what it takes."""
    with pytest.raises(InputError, match=f"{next(iter(wrong))}: want"):
        AnimationOptions(**wrong)
