"""The rig's rest pose and forward kinematics in the plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animation_server.character import CharacterSkeleton
from animation_server.rig.skeleton import RigSkeleton, angle_from_up_deg, fk, rig_skeleton
from tests.motion_clips import TEXTURE_SIZE, drawn_skeleton


@pytest.fixture
def chain() -> RigSkeleton:
    """Root, elbow straight above it, hand straight right of the elbow."""
    skeleton = CharacterSkeleton(
        ("root", "elbow", "hand"), np.array([-1, 0, 1]), np.array([[20.0, 60.0], [20.0, 40.0], [50.0, 40.0]])
    )
    return rig_skeleton(skeleton, (80, 100))


def test_rig_frame_counts_up_from_the_lower_left_corner_in_larger_sides(chain: RigSkeleton) -> None:
    """Pixels 20, 60 of a texture 100 wide and 80 high are 0.2 right and 0.2 up."""
    np.testing.assert_allclose(chain.joints_rig, [[0.2, 0.2], [0.2, 0.4], [0.5, 0.4]])
    np.testing.assert_allclose(chain.bone_lengths, [0.0, 0.2, 0.3])
    np.testing.assert_allclose(chain.rest_angles_deg, [0.0, 0.0, 270.0])


def test_posing_a_chain_by_hand(chain: RigSkeleton) -> None:
    """The first bone turned 90 degrees points left; the second, turned 180, points left too."""
    posed = fk(chain, np.array([[0.0, 90.0, 180.0], [0.0, 0.0, 90.0]]))
    np.testing.assert_allclose(posed[0], [[0.0, 0.0], [-0.2, 0.0], [-0.5, 0.0]], atol=1e-12)
    np.testing.assert_allclose(posed[1], [[0.0, 0.0], [0.0, 0.2], [0.0, 0.5]], atol=1e-12)


@pytest.mark.parametrize(
    ("vector", "angle"),
    [((0, 1), 0), ((-1, 0), 90), ((0, -1), 180), ((1, 0), 270), ((1, 1), 315), ((1e-300, 1), 0)],
)
def test_angles_run_counter_clockwise_from_up(vector: tuple[float, float], angle: float) -> None:
    """0 is up, 90 is left, and 360 never comes."""
    assert angle_from_up_deg(vector) == pytest.approx(angle)


@given(st.lists(st.floats(-1e4, 1e4), min_size=16, max_size=16))
def test_bones_keep_their_length_and_turn_as_told(turns: list[float]) -> None:
    """Whatever the turns, no bone stretches, and each ends up at rest angle plus turn."""
    rig = rig_skeleton(drawn_skeleton(), TEXTURE_SIZE)
    joints = fk(rig, np.array([turns]))[0]
    bones = joints - joints[rig.parents]
    bones[0] = 0.0
    np.testing.assert_allclose(np.linalg.norm(bones, axis=1), rig.bone_lengths, atol=1e-12)
    off = angle_from_up_deg(bones) - rig.rest_angles_deg - np.array(turns)
    off = (off + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(off[rig.bone_lengths > 0.0], 0.0, atol=1e-8)


def test_one_turn_for_all_bones_turns_the_figure_as_a_whole() -> None:
    """Equal turns are a rigid rotation about the root; none leave the rest pose."""
    rig = rig_skeleton(drawn_skeleton(), TEXTURE_SIZE)
    still, quarter = fk(rig, np.array([[0.0] * 16, [90.0] * 16]))
    rest = rig.joints_rig - rig.joints_rig[0]
    np.testing.assert_allclose(still, rest, atol=1e-12)
    np.testing.assert_allclose(quarter, np.stack([-rest[:, 1], rest[:, 0]], axis=1), atol=1e-12)


def test_coincident_joints_have_no_angle_and_no_nan() -> None:
    """Joints all in one place rest at angle 0 and stay there."""
    skeleton = replace(drawn_skeleton(), joints_px=np.full((16, 2), 7.0))
    rig = rig_skeleton(skeleton, TEXTURE_SIZE)
    assert not rig.rest_angles_deg.any()
    assert not fk(rig, np.full((3, 16), 33.0)).any()


@pytest.mark.parametrize(
    "change",
    [
        {"parents": np.array([-1, 2, 0])},
        {"parents": np.array([0, 0, 1])},
        {"joints_px": np.array([[0.0, 0.0], [1.0, np.nan], [0.0, 0.0]])},
        {"joints_px": np.zeros((2, 2))},
    ],
)
def test_malformed_skeletons_are_refused(change: dict[str, np.ndarray]) -> None:
    """A child before its parent, a root with a parent, and joints that are missing or not finite."""
    skeleton = CharacterSkeleton(("a", "b", "c"), np.array([-1, 0, 1]), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="expected"):
        rig_skeleton(replace(skeleton, **change), (10, 10))
    with pytest.raises(ValueError, match="0x10"):
        rig_skeleton(skeleton, (10, 0))
