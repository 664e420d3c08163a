"""Resampling, trimming, looping and converting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bvh_tools import convert
from bvh_tools import quaternion as quat
from bvh_tools.authoring import build_clip
from bvh_tools.bvh_parser import parse_bvh
from bvh_tools.bvh_writer import format_bvh
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError
from bvh_tools.kinematics import end_site_positions, fk
from bvh_tools.loop import is_loop, loop, seam, up_vector
from bvh_tools.resample import resample
from bvh_tools.trim import trim
from tests.bvh_clips import ORDERS, assert_same_clip, assert_same_rotations, clips, random_clip

WALK = """
fps: 30
duration: 3.0
poses:
  step:
    feet: {Left: [9, 8, 30], Right: [-9, 8, -30]}
    turn: {Trunk: [0, 20, 0]}
    aim: {LeftArm: [0.2, -1, -0.4], RightArm: [-0.2, -1, 0.4]}
  other: {mirror: step}
keys:
  - {at: 0.0, pose: step, root: [0, 90, 0]}
  - {at: 0.7, pose: other}
  - {at: 1.4, pose: step, root: [40, 86, 100]}
  - {at: 2.1, pose: other, turn: {Hips: [0, 70, 0]}}
  - {at: 3.0, pose: step, root: [60, 92, 250]}
"""


def _walk() -> Clip:
    """A walk that goes astray, with nothing that loops."""
    return build_clip(WALK)


@given(clip=clips(), frames=st.integers(1, 40), cycle=st.booleans())
def test_resampling_keeps_the_duration_and_the_tempo(clip: Clip, frames: int, cycle: bool) -> None:
    """Whatever the number of frames, each shows the pose that stood there at its time."""
    other = resample(clip, frames, loops=cycle)
    assert other.n_frames == frames
    assert other.duration == pytest.approx(clip.duration, rel=1e-12)
    same = [k for k in range(frames) if k * clip.n_frames % frames == 0]  # old and new frames begin together
    old = [k * clip.n_frames // frames for k in same]
    assert_same_rotations(other.rotations[same], clip.rotations[old])
    np.testing.assert_allclose(other.translations[same], clip.translations[old], atol=1e-9)


@given(clip=clips(), factor=st.integers(1, 6), cycle=st.booleans())
def test_finer_frames_can_be_thinned_to_what_they_were(clip: Clip, factor: int, cycle: bool) -> None:
    """Twice, three times as many frames and back is the same clip."""
    back = resample(resample(clip, factor * clip.n_frames, loops=cycle), clip.n_frames, loops=cycle)
    assert_same_rotations(back.rotations, clip.rotations)
    np.testing.assert_allclose(back.translations, clip.translations, atol=1e-9)


def test_resampling_goes_half_way_between_frames() -> None:
    """Turns go half their angle, moves half their way; the last pose is held, or in a loop leads on."""
    clip = random_clip(np.random.default_rng(5), n_frames=6)
    after = np.roll(np.arange(6), -1)
    middle = quat.slerp(clip.rotations, clip.rotations[after], np.full((6, 1), 0.5))
    means = (clip.translations + clip.translations[after]) / 2.0
    round_and_round = resample(clip, 12, loops=True)
    assert_same_rotations(round_and_round.rotations[1::2], middle)
    np.testing.assert_allclose(round_and_round.translations[1::2], means, atol=1e-9)
    once = resample(clip, 12)
    assert_same_rotations(once.rotations[1:11:2], middle[:-1])
    np.testing.assert_allclose(once.translations[1:11:2], means[:-1], atol=1e-9)
    assert_same_rotations(once.rotations[-1], clip.rotations[-1])


def _spin(frames: int, turns: float) -> Clip:
    """A clip whose root turns at an even speed about y, that many turns in all."""
    clip = random_clip(np.random.default_rng(3), n_joints=1, n_frames=frames)
    rotations = quat.from_euler(360.0 * turns * np.arange(frames)[:, None, None] / frames, "Y")
    return replace(clip, translations=np.zeros((frames, 1, 3)), rotations=quat.unroll(rotations))


def _steps_deg(clip: Clip) -> NDArray[np.float64]:
    """Angles of the root's steps from frame to frame, the last one that from the last to the first."""
    root = clip.rotations[:, 0]
    return np.degrees(quat.angle_between(root, np.roll(root, -1, axis=0)))


@given(frames=st.integers(3, 40), to=st.integers(3, 80))
def test_a_cycle_turns_evenly_at_any_frame_rate(frames: int, to: int) -> None:
    """Nothing stalls at the seam of a loop, and nothing is packed closer before it."""
    spin = _spin(frames, 1.0)
    assert is_loop(spin)
    for other in (convert.change_fps(spin, to / spin.duration), trim(spin, frames=to)):
        np.testing.assert_allclose(_steps_deg(other), 360.0 / to, atol=1e-6)
        assert is_loop(other)


@given(frames=st.integers(3, 40), to=st.integers(3, 80))
def test_a_clip_that_ends_elsewhere_keeps_its_speed_at_any_frame_rate(frames: int, to: int) -> None:
    """Degrees a second are those of before, up to the last pose, which is held."""
    turn = _spin(frames, 0.4)
    assert not is_loop(turn)
    last = (frames - 1) * to // frames  # the last step to end before the last pose
    for other in (convert.change_fps(turn, to / turn.duration), trim(turn, frames=to)):
        np.testing.assert_allclose(_steps_deg(other)[:last], 144.0 / to, atol=1e-6)


@pytest.mark.parametrize("fps", [1e12, 1e308])
def test_more_frames_than_memory_holds_are_refused(fps: float) -> None:
    """As with what is read, before anything is made of them."""
    clip = random_clip(np.random.default_rng(7))
    for ask in (lambda: convert.change_fps(clip, fps), lambda: trim(clip, frames=10**11)):
        with pytest.raises(BvhError, match=r"at most 10000000 frames times joints, got \d+ frames of 6"):
            ask()


def test_trimming_keeps_a_stretch() -> None:
    """Start and end work as in a slice; frames spreads the stretch over its own time."""
    clip = random_clip(np.random.default_rng(7), n_frames=10)
    kept = trim(clip, 2, -3)
    np.testing.assert_array_equal(kept.rotations, clip.rotations[2:7])
    assert kept.frame_time == clip.frame_time
    assert trim(clip, 2, -3, frames=3).duration == pytest.approx(kept.duration)
    assert_same_clip(trim(clip), clip)
    for start, end in ((5, 5), (7, 2), (11, None), (None, 11), (-11, None)):
        with pytest.raises(BvhError, match=r"expected (start|end)"):
            trim(clip, start, end)
    with pytest.raises(BvhError, match="at least 1 frame, got 0"):
        trim(clip, frames=0)


@pytest.mark.parametrize("in_place", [False, True])
def test_looped_clips_lead_from_their_end_to_their_beginning(in_place: bool) -> None:
    """The step over the seam is like those within, for root and joints, and so is its change."""
    clip = _walk()
    assert max(seam(clip)) > 5.0
    looped = loop(clip, in_place=in_place)
    assert max(seam(looped)) <= 1.0 + 1e-9
    positions = fk(looped)
    round_again = np.concatenate([positions, positions[:3]])
    jerk = np.linalg.norm(np.diff(round_again, n=2, axis=0), axis=-1).max(axis=1)
    assert jerk[-4:].max() <= jerk[:-4].max()


def test_looping_in_place_holds_the_root_but_for_its_height() -> None:
    """The root stays over one spot and still bobs."""
    root = loop(_walk(), in_place=True).translations[:, 0]
    np.testing.assert_allclose(root[:, [0, 2]], np.tile(root[0, [0, 2]], (len(root), 1)), atol=1e-9)
    assert np.ptp(root[:, 1]) > 1.0


def test_looping_keeps_the_middle_and_a_whole_turn() -> None:
    """Frames past the blend keep their joints, and a full spin is not undone."""
    clip = _walk()
    looped = loop(clip, 12)
    assert looped.n_frames == clip.n_frames - 12
    assert_same_rotations(looped.rotations[12:, 1:], clip.rotations[12:-12, 1:])
    angle = np.linspace(0.0, 2.0 * np.pi, 61)
    spin = clip.rotations[:61].copy()
    spin[:, 0] = quat.from_axis_angle(np.tile(up_vector("+y"), (61, 1)), angle)
    spun = loop(Clip(clip.skeleton, clip.translations[:61], spin, clip.frame_time), 1)
    assert _steps_deg(spun)[:-1].sum() == pytest.approx(354.0, abs=7.0)


def _root_turned(*euler_deg: NDArray[np.float64]) -> Clip:
    """A figure whose root turns by these angles (N,) about y, x and z, in this order."""
    clip = _spin(len(euler_deg[0]), 0.0)
    return replace(clip, rotations=quat.unroll(quat.from_euler(np.stack(euler_deg, -1)[:, None], "YXZ")))


@given(turn=st.floats(-170.0, 170.0), lean=st.floats(-179.0, 179.0), tilt=st.floats(-80.0, 80.0))
@example(turn=90.0, lean=179.9, tilt=0.0)
def test_looping_takes_out_the_turn_of_a_root_however_it_leans(turn: float, lean: float, tilt: float) -> None:
    """A figure that leans or hangs by its feet all along, and turns, turns no more."""
    still = np.ones(31)
    looped = loop(_root_turned(turn * np.arange(31) / 30.0, lean * still, tilt * still), 1)
    assert _steps_deg(looped).max() < 1e-4


@pytest.mark.parametrize("lean", [0.0, 170.0, 180.0])
def test_a_wobble_of_the_root_stays_a_wobble(lean: float) -> None:
    """What is small before stays small, also upside down, where a turn about the up axis is hard to tell."""
    yaw, pitch, roll = np.random.default_rng(2).normal(0.0, 0.01, (3, 60))
    clip = _root_turned(yaw, lean + pitch, roll)
    looped = loop(clip)
    moved = quat.angle_between(clip.rotations[: looped.n_frames], looped.rotations)
    assert np.degrees(moved.max()) < 0.2


def test_a_figure_that_ends_upside_down_is_not_turned() -> None:
    """From feet to hands there is no turn about the up axis, and a wobble does not make one."""
    yaw, pitch, roll = np.random.default_rng(4).normal(0.0, 0.01, (3, 40))
    clip = _root_turned(yaw, np.repeat([0.0, 180.0], 20) + pitch, roll)
    looped = loop(clip, 1)
    assert np.degrees(quat.angle_between(clip.rotations[1:39], looped.rotations[1:]).max()) < 0.2


def test_a_blend_that_does_not_fit_is_refused() -> None:
    """At least one frame and at most half the clip can be blended."""
    for blend in (0, 46):
        with pytest.raises(BvhError, match=f"a blend of 1 to 45 frames, half the clip, got {blend}"):
            loop(_walk(), blend)
    with pytest.raises(BvhError, match="'up'"):
        loop(_walk(), up="up")


@pytest.mark.parametrize("to", ["+x", "-x", "+y", "-y", "+z", "-z"])
def test_changing_up_turns_the_world(to: str) -> None:
    """Heights above ground become heights along the new axis, shapes stay, End Sites come along."""
    clip = random_clip(np.random.default_rng(8))
    turned = convert.change_up(clip, "+y", to)
    a, b = fk(clip), fk(turned)
    np.testing.assert_allclose(a[..., 1], b @ up_vector(to), atol=1e-9)
    shape = [np.linalg.norm(p[:, :, None] - p[:, None], axis=-1) for p in (a, b)]
    np.testing.assert_allclose(shape[0], shape[1], atol=1e-9)
    volume = [np.linalg.det(p[:, 1:4] - p[:, :1]) for p in (a, b)]
    np.testing.assert_allclose(volume[0], volume[1], rtol=1e-6, atol=1e-6)
    for joint, ends in end_site_positions(turned).items():
        np.testing.assert_allclose(ends @ up_vector(to), end_site_positions(clip)[joint][:, 1], atol=1e-9)
    back = convert.change_up(turned, to, "+y")
    np.testing.assert_allclose(np.abs(fk(back)[..., 1]), np.abs(a[..., 1]), atol=1e-9)
    assert_same_clip(parse_bvh(format_bvh(turned)), turned)


@given(clip=clips(), order=st.sampled_from(ORDERS))
def test_rotation_orders_change_and_the_motion_does_not(clip: Clip, order: str) -> None:
    """Written in another order and read back, every rotation is the same."""
    other = parse_bvh(format_bvh(convert.change_rotation_order(clip, order.lower())))
    assert_same_rotations(other.rotations, clip.rotations)
    turns = {tuple(c for c in joint if c.endswith("rotation")) for joint in other.skeleton.channels}
    assert turns == {tuple(f"{letter}rotation" for letter in order)}


def test_scaling_renaming_and_frame_rate() -> None:
    """Lengths scale with all positions; names change one by one; a frame rate keeps the duration."""
    clip = random_clip(np.random.default_rng(9), n_frames=30)
    np.testing.assert_allclose(fk(convert.change_scale(clip, 2.54)), fk(clip) * 2.54)
    renamed = convert.rename_joints(clip, {"Joint 0: part": "Hips"})
    assert renamed.skeleton.names[:2] == ("Hips", "Joint 1: part")
    faster = convert.change_fps(clip, 60.0)
    assert faster.n_frames == 60
    assert faster.duration == pytest.approx(clip.duration)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(BvhError, match="above 0"):
            convert.change_scale(clip, wrong)
        with pytest.raises(BvhError, match="above 0"):
            convert.change_fps(clip, wrong)
    with pytest.raises(BvhError, match="got 'Nose'"):
        convert.rename_joints(clip, {"Nose": "Hips"})
    with pytest.raises(BvhError, match="two alike"):
        convert.rename_joints(clip, {"Joint 0: part": "Joint 1: part"})
    with pytest.raises(BvhError, match="'XXZ'"):
        convert.change_rotation_order(clip, "xxz")
