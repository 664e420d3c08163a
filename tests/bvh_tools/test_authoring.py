"""Key poses become the motion they describe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvh_tools import humanoid
from bvh_tools import quaternion as quat
from bvh_tools.authoring import build_clip
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError
from bvh_tools.keys import parse_keys
from bvh_tools.kinematics import fk
from bvh_tools.loop import seam

WAVE = """
fps: 20
duration: 2
loops: true
lag: {LeftForeArm: 0.1}
poses:
  low:
    root: [3, 90, 1]
    turn: {Trunk: [4, 8, 12], Head: [0, 0, 10]}
    aim: {LeftArm: [1, 0.2, 0.3], LeftForeArm: [0, 1, 0.1], RightArm: [-0.3, -1, 0]}
    feet: {Left: [14, 8, 5], Right: [-12, 8, -3]}
    knees: {Left: [1, 0, 1]}
  high: {mirror: low}
keys:
  - {at: 0, pose: low}
  - {at: 0.8, pose: high, hold: 0.4}
sway:
  - {track: Neck, axis: z, amount: 6, cycles: 2, phase: 0.25}
"""


def _at(clip: Clip, joint: str) -> np.ndarray:
    return fk(clip)[:, clip.skeleton.names.index(joint)]


def _direction(clip: Clip, joint: str, end: str) -> np.ndarray:
    bone = _at(clip, end) - _at(clip, joint)
    return bone / np.linalg.norm(bone, axis=-1, keepdims=True)


def test_at_a_key_the_figure_stands_as_the_key_says() -> None:
    """Root, aimed bones, feet, knees and turns are where the pose puts them."""
    clip = build_clip(WAVE)
    assert (clip.n_frames, clip.duration) == (40, pytest.approx(2.0))
    np.testing.assert_allclose(_at(clip, "Hips")[0], [3, 90, 1])
    aimed = np.array([1, 0.2, 0.3]) / np.linalg.norm([1, 0.2, 0.3])
    np.testing.assert_allclose(_direction(clip, "LeftArm", "LeftForeArm")[0], aimed, atol=1e-9)
    np.testing.assert_allclose(_at(clip, "LeftFoot")[0], [14, 8, 5], atol=1e-9)
    knee = _at(clip, "LeftLeg")[0] - (_at(clip, "LeftUpLeg")[0] + _at(clip, "LeftFoot")[0]) / 2
    assert knee[0] > 1.0
    assert knee[2] > 1.0
    head = clip.rotations[0, clip.skeleton.names.index("Head")]
    assert quat.angle_between(head, quat.from_euler([10.0, 0.0, 0.0], "ZXY")) < 1e-7


def test_a_mirrored_pose_is_the_mirror_image() -> None:
    """Every joint of the mirrored pose stands at its partner's place with x turned round."""
    text = WAVE.replace("lag: {LeftForeArm: 0.1}\n", "").split("sway:")[0]
    clip = build_clip(text)
    positions, names = fk(clip), clip.skeleton.names
    partner = [names.index(_other(name)) for name in names]
    np.testing.assert_allclose(positions[16], positions[0][partner] * [-1, 1, 1], atol=1e-9)


def _other(name: str) -> str:
    if name.startswith("Left"):
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


def test_held_poses_hold_still_and_lag_comes_later() -> None:
    """Between two equal keys nothing moves; a lagging joint does what it would have done a moment before."""
    prompt = build_clip(WAVE.replace("lag: {LeftForeArm: 0.1}", ""))
    late = build_clip(WAVE)
    held = _direction(prompt, "LeftForeArm", "LeftHand")[16:25]
    np.testing.assert_allclose(held, np.tile(held[0], (9, 1)), atol=1e-9)
    np.testing.assert_allclose(
        np.roll(_direction(late, "LeftForeArm", "LeftHand"), -2, axis=0),
        _direction(prompt, "LeftForeArm", "LeftHand"),
        atol=1e-9,
    )


def test_looping_keys_loop() -> None:
    """A motion marked as looping goes round without a jump; one that is not holds its ends."""
    assert max(seam(build_clip(WAVE))) <= 1.0 + 1e-6
    once = build_clip("duration: 2\nkeys:\n- {at: 0.5, root: [0, 90, 0]}\n- {at: 1.5, root: [0, 50, 0]}\n")
    height = _at(once, "Hips")[:, 1]
    assert height[:15].tolist() == [90.0] * 15
    assert height[46:].tolist() == [50.0] * 14
    assert (np.diff(height) <= 0.0).all()


def test_a_track_between_keys_never_leaves_them() -> None:
    """Interpolation does not overshoot: what the keys keep within bounds stays within."""
    keys = "\n".join(f"- {{at: {t}, root: [{x}, 90, 0]}}" for t, x in [(0, 0), (0.1, 9), (1, 10), (1.1, -5)])
    x = _at(build_clip(f"duration: 2\nloops: true\nkeys:\n{keys}"), "Hips")[:, 0]
    assert -5.0 <= x.min() < x.max() <= 10.0


@given(
    ankle=st.tuples(*[st.floats(-60.0, 60.0)] * 3),
    pole=st.tuples(*[st.floats(-1.0, 1.0)] * 3),
)
def test_knees_bend_so_that_bones_keep_their_length(
    ankle: tuple[float, float, float], pole: tuple[float, float, float]
) -> None:
    """Both bones keep their length, and the ankle is reached whenever it can be."""
    target, hip = np.array([ankle]), np.zeros((1, 3))
    knee, reached = humanoid.bend(hip, target, np.array([pole]), 42.0, 40.0)
    distance = np.linalg.norm(target)
    if np.linalg.norm(np.cross(ankle, pole)) > 1e-3 and distance > 2.1:
        assert np.linalg.norm(knee) == pytest.approx(42.0, rel=1e-6)
        assert np.linalg.norm(reached - knee) == pytest.approx(40.0, rel=1e-6)
        assert (knee @ np.array(pole)).item() >= (reached @ np.array(pole)).item() * 0.5 - 42.0
    if 2.1 < distance < 81.9:
        np.testing.assert_allclose(reached, target, atol=1e-6)


@given(st.tuples(*[st.floats(-1.0, 1.0)] * 3), st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_aiming_turns_one_direction_into_another(
    a: tuple[float, float, float], b: tuple[float, float, float]
) -> None:
    """The aimed rotation takes a to b, opposite directions included, about an axis across both."""
    if min(np.linalg.norm(a), np.linalg.norm(b)) < 1e-3:
        return
    unit_a, unit_b = np.array(a) / np.linalg.norm(a), np.array(b) / np.linalg.norm(b)
    np.testing.assert_allclose(quat.mul_vec(humanoid.aim(a, b), unit_a), unit_b, atol=1e-4)
    np.testing.assert_allclose(quat.mul_vec(humanoid.aim(unit_a, -unit_a), unit_a), -unit_a, atol=1e-9)


@pytest.mark.parametrize(
    ("group", "name", "track"),
    [
        ("aim", "LeftArm", "aim LeftArm"),
        ("knees", "Left", "knees Left"),
        ("toes", "Right", "toes Right"),
    ],
)
def test_a_direction_that_turns_right_round_needs_a_key_between(group: str, name: str, track: str) -> None:
    """Half way between two opposite directions there is none; the message says when and what to add."""
    keys = "\n".join(f"- {{at: {t}, {group}: {{{name}: [{x}, 0, 0]}}}}" for t, x in [(0, 1), (1, -1)])
    with pytest.raises(BvhError, match=f"{track}: expected a direction at 0.5 s, .* add a key between"):
        build_clip(f"duration: 2\nkeys:\n{keys}")
    between = f"- {{at: 0.5, {group}: {{{name}: [0, 0, 1]}}}}"
    assert np.isfinite(build_clip(f"duration: 2\nkeys:\n{keys}\n{between}").rotations).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keys: [", "k.yaml: expected YAML"),
        ("[]", r"k.yaml: expected a mapping, got \[\]"),
        ("keyz: []", "k.yaml: expected keys out of fps, duration, .*, got 'keyz'"),
        ("duration: .inf\nkeys: []", "k.yaml: duration: expected a finite number, got inf"),
        ("duration: 0\nkeys: []", "k.yaml: duration: expected a number above 0, got 0"),
        ("duration: 1.01\nkeys: []", "k.yaml: expected a whole number of frames, got 1.01 s at 30"),
        ("duration: 1000000\nkeys: []", "k.yaml: expected at most 400000 frames, got 1000000.0 s at 30"),
        ("duration: 1.0e+308\nfps: 1.0e+308\nkeys: []", "k.yaml: expected at most 400000 frames"),
        ("loops: 1\nkeys: []", "expected loops to be true or false, got 1"),
        ("keys: []", "expected at least one key that sets something"),
        ("keys: [{at: 2, root: [0, 0, 0]}]", "key 0: expected times from 0 to 1.0 s, got 2.0"),
        ("loops: true\nkeys: [{at: 1, root: [0, 0, 0]}]", "key 0: expected times from 0 below"),
        ("keys: [{at: 0, root: [0, 0]}]", r"key 0: root: expected three numbers, got \[0, 0\]"),
        (
            "keys: [{at: 0, root: [0, .nan, 0]}]",
            "key 0: root: expected a finite number, got nan",
        ),
        ("keys: [{at: 0, pose: sit}]", "expected one of the poses none, got 'sit'"),
        (
            "keys: [{at: 0, aim: {Nose: [1, 0, 0]}}]",
            "key 0: aim: expected keys out of Left.*'Nose'",
        ),
        (
            "keys: [{at: 0, aim: {LeftArm: [0, 0, 0]}}]",
            "aim LeftArm: expected a direction, got zero",
        ),
        (
            "keys: [{at: 0, root: [0, 0, 0]}, {at: 0, root: [0, 0, 0]}]",
            "key 1: root has a key at 0.0 s already",
        ),
        (
            "poses: {a: {base: b}, b: {mirror: a}}\nkeys: [{at: 0, pose: a}]",
            "pose 'a' is built on itself: a -> b -> a",
        ),
        (
            "lag: {Nose: 1}\nkeys: [{at: 0, root: [0, 0, 0]}]",
            "lag: expected a joint or one of .*, got 'Nose'",
        ),
        ("keys: [{at: 0, root: [0, 0, 0]}]\nsway: [{track: Nose}]", "sway 0: expected a track out of root"),
        (
            "keys: [{at: 0, root: [0, 0, 0]}]\nsway: [{track: Head, axis: x, amount: 1, cycles: 0.5}]",
            "sway 0: expected cycles to be a whole number of at least 1, got 0.5",
        ),
    ],
)
def test_mistakes_in_key_poses_are_named(text: str, message: str) -> None:
    """The error says which entry, what was expected and what came."""
    whole = text if "duration" in text or text == "[]" else f"duration: 1\n{text}"
    with pytest.raises(BvhError, match=message):
        parse_keys(whole, source="k.yaml")
