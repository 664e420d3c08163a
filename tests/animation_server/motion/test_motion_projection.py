"""Facing forward, projecting, and ordering by depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from animation_server.errors import InputError
from animation_server.motion.config import Up
from animation_server.motion.depth_order import group_order, joint_draw_order, settle
from animation_server.motion.heading import UP_AXES, hold_last, normalize_clip, stand_up
from animation_server.motion.projection import (
    choose_plane,
    close_path,
    depth,
    orientation_deg,
    project,
    root_path,
)
from bvh_tools import quaternion as quat
from tests.motion_clips import configs, standing, turned, wriggle

LEFT, UP, FORWARD = np.array([0.0, 0.0, -1.0]), np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


@pytest.mark.parametrize("up", UP_AXES)
def test_standing_up_is_a_rotation_that_takes_the_axis_to_y(up: Up) -> None:
    """No mirror: determinant 1."""
    axis = np.zeros(3)
    axis["xyz".index(up[1])] = 1.0 if up[0] == "+" else -1.0
    np.testing.assert_array_equal(stand_up(axis, up), [0.0, 1.0, 0.0])
    assert np.linalg.det(stand_up(np.eye(3), up)) == pytest.approx(1.0)


def test_a_standing_figure_faces_x_whichever_way_it_faced() -> None:
    """Its left arm points to -z, its toes to +x, its head up; left foot on the ground."""
    clip = standing()
    config, _ = configs(clip)
    for angle in (0.0, 1.0, -2.5):
        body = normalize_clip(turned(clip, quat.from_axis_angle(UP, angle)), config)
        for name, direction in (("LeftArm", LEFT), ("RightArm", -LEFT)):
            arm = body.joint(name.replace("Arm", "Hand")) - body.joint(name)
            np.testing.assert_allclose(arm[0] / np.linalg.norm(arm[0]), direction, atol=1e-9)
        toes = body.joint("LeftToeBase") - body.joint("LeftFoot")
        assert toes[0, 0] > 0.0
        np.testing.assert_allclose(body.forward, np.tile(FORWARD, (5, 1)), atol=1e-9)
        np.testing.assert_allclose(body.root_xyz[0, [0, 2]], 0.0, atol=1e-9)
        np.testing.assert_allclose(body.root_xyz[:, 1] + body.joint("LeftFoot")[:, 1], 0.0, atol=1e-9)


def test_a_figure_that_turns_faces_x_in_every_frame() -> None:
    """The forward vector tells how it is turned since the first frame."""
    clip = standing(4)
    rotations = clip.rotations.copy()
    rotations[:, 0] = quat.from_axis_angle(np.tile(UP, (4, 1)), np.radians([0.0, 90.0, 180.0, 270.0]))
    config, _ = configs(clip)
    body = normalize_clip(replace(clip, rotations=rotations), config)
    np.testing.assert_allclose(body.joints_xyz[1:], np.repeat(body.joints_xyz[:1], 3, axis=0), atol=1e-9)
    np.testing.assert_allclose(body.forward, [FORWARD, LEFT, -FORWARD, -LEFT], atol=1e-9)


def test_a_figure_without_width_keeps_the_direction_it_had() -> None:
    """Frames whose shoulders and hips lie on a plumb line, or in a point, take their neighbour's."""
    clip = wriggle(6)
    config, _ = configs(clip)
    lying = clip.rotations.copy()
    lying[2:4] = quat.identity(clip.skeleton.n_joints)
    lying[2:4, 0] = quat.from_axis_angle([0.0, 0.0, 1.0], np.pi / 2)  # on its side
    body = normalize_clip(replace(clip, rotations=lying), config)
    np.testing.assert_allclose(body.forward[2:4], body.forward[[1, 1]])
    point = replace(clip, translations=np.zeros_like(clip.translations))
    body = normalize_clip(point, config)
    np.testing.assert_array_equal(body.forward, np.tile(FORWARD, (6, 1)))
    assert not body.joints_xyz.any()


def test_unknown_joints_in_a_motion_are_named() -> None:
    """With the key that names them."""
    clip = standing()
    config, _ = configs(clip)
    with pytest.raises(InputError, match="groundplane_joint: the BVH has no joint 'Tail'"):
        normalize_clip(clip, replace(config, groundplane_joint="Tail"))
    with pytest.raises(InputError, match="forward_perp_joint_vectors: the BVH has no joint 'Tail'"):
        normalize_clip(clip, replace(config, forward_perp_joint_vectors=(("Hips", "Tail"),)))


def test_views_are_right_handed_with_depth_toward_the_viewer() -> None:
    """From the front the figure's left is on the right; from its right side it looks to the right."""
    np.testing.assert_array_equal(project(np.stack([LEFT, UP, FORWARD]), "frontal"), [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(
        project(np.stack([LEFT, UP, FORWARD]), "sagittal"), [[0, 0], [0, 1], [1, 0]]
    )
    assert depth(FORWARD, "frontal") == 1.0
    assert depth(-LEFT, "sagittal") == 1.0


@pytest.mark.parametrize(("thin", "plane"), [((0.1, 1, 1), "frontal"), ((1, 1, 0.1), "sagittal")])
def test_pca_looks_along_the_least_spread(thin: tuple[float, ...], plane: str) -> None:
    """Movement across the body is seen from the front, movement ahead from the side."""
    cloud = np.random.default_rng(0).normal(size=(50, 4, 3)) * thin + [3.0, -2.0, 5.0]
    assert choose_plane("pca", cloud) == plane
    assert choose_plane("frontal", cloud) == "frontal"
    assert choose_plane("sagittal", cloud) == "sagittal"


def test_points_without_spread_are_seen_from_the_front() -> None:
    """Nothing tells the sides apart."""
    assert choose_plane("pca", np.ones((4, 3, 3))) == "frontal"


def test_orientation_is_held_while_a_bone_points_at_the_viewer() -> None:
    """Before, between and after frames that show a direction; None when none does."""
    bone = np.stack([FORWARD, UP, FORWARD, LEFT, FORWARD * 2.0])
    np.testing.assert_allclose(orientation_deg(bone, "frontal"), [0.0, 0.0, 0.0, 270.0, 270.0])
    assert orientation_deg(bone[[0, 2]], "frontal") is None
    assert orientation_deg(np.zeros((3, 3)), "sagittal") is None


@given(st.lists(st.booleans(), min_size=1, max_size=12).filter(any))
def test_holding_takes_the_last_valid_value_or_else_the_first(valid: list[bool]) -> None:
    """Against a plain loop."""
    held, last = [], valid.index(True)
    for frame, good in enumerate(valid):
        last = frame if good else last
        held.append(float(last))
    np.testing.assert_array_equal(hold_last(np.arange(len(valid)) * 1.0, np.array(valid)), held)


def walk(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arange(5)[:, None] * direction + [7.0, 3.0, 1.0]


@pytest.mark.parametrize("turns_true", [True, False])
def test_root_path_of_a_figure_that_faces_x(turns_true: bool) -> None:
    """Sideways steps show from the front, steps ahead from the side, height from both."""
    forward = np.tile(FORWARD, (5, 1))
    np.testing.assert_allclose(
        root_path(walk(LEFT + UP + FORWARD), forward, "frontal", turns_true=turns_true),
        np.arange(5)[:, None] * [1.0, 1.0],
    )
    ahead = root_path(walk(2.0 * FORWARD + LEFT), forward, "sagittal", turns_true=turns_true)
    np.testing.assert_allclose(ahead, np.arange(5)[:, None] * [2.0, 0.0])


def test_root_path_turned_aside_is_true_only_on_request() -> None:
    """A figure that faces its former left and steps to its own left; AnimatedDrawings mirrors that step."""
    own_left = np.cross(UP, LEFT)
    forward = np.tile(LEFT, (5, 1))
    true = root_path(walk(own_left), forward, "frontal", turns_true=True)
    np.testing.assert_allclose(true[:, 0], np.arange(5.0))
    np.testing.assert_allclose(
        root_path(walk(own_left), forward, "frontal", turns_true=False), -true, atol=1e-12
    )


def test_a_steady_walk_that_loops_stays_on_the_spot() -> None:
    """Its bobbing, which closes by itself, is kept."""
    phase = np.arange(20) / 20 * 2 * np.pi
    bob = np.stack([np.zeros(20), np.sin(phase)], axis=1)
    travel = np.stack([np.arange(20) * 0.5, np.zeros(20)], axis=1)
    closed = close_path(travel + bob)
    np.testing.assert_allclose(closed, bob, atol=0.05)
    seam = np.linalg.norm(closed[0] - closed[-1])
    assert seam <= 1.01 * np.linalg.norm(np.diff(closed, axis=0), axis=1).max()
    np.testing.assert_array_equal(close_path(bob), bob)
    np.testing.assert_array_equal(close_path(np.zeros((2, 2))), np.zeros((2, 2)))


def test_groups_are_drawn_by_depth_and_their_joints_by_its_sign() -> None:
    """Ahead of the root in the listed order, behind or beside it in reverse; the ungrouped first."""
    groups = [[1, 2], [3, 4]]
    depths = np.array([[0.0, 1.0], [2.0, -1.0]])
    np.testing.assert_array_equal(
        joint_draw_order(depths, groups, 6), [[0, 5, 2, 1, 3, 4], [0, 5, 4, 3, 1, 2]]
    )
    np.testing.assert_array_equal(group_order(depths), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(group_order(np.zeros((1, 3))), [[0, 1, 2]])


def test_parts_at_about_the_same_depth_keep_their_places() -> None:
    """Two parts that flutter around each other do not swap; one that moves clearly ahead does, once."""
    flutter = 0.1 * np.sin(np.arange(40) * 2.1)
    passing = np.linspace(-2.0, 2.0, 40)
    depths = np.stack([1.0 + flutter, 1.0 - flutter, passing], axis=1)
    settled = settle(depths, 0.1, loops=False)
    assert (np.diff(settled[:, 0] > settled[:, 1]) == 0).all()
    assert np.count_nonzero(np.diff(settled[:, 2] > settled[:, 0])) == 1
    np.testing.assert_array_equal(settled[:, 2] > 0, passing > 0.1 * 4.0)
    np.testing.assert_array_equal(settle(depths, 0.0, loops=False), depths)


def test_a_loops_order_leads_from_its_end_into_its_start() -> None:
    """The first frame of a loop follows on the last one's order."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    depths = np.stack([np.cos(turn + 0.03), np.zeros(60)], axis=1)
    once = settle(depths, 0.2, loops=True)
    twice = settle(np.tile(depths, (2, 1)), 0.2, loops=True)
    np.testing.assert_array_equal(np.tile(once, (2, 1)), twice)


@given(arrays(np.float64, (9, 4), elements=st.floats(-10, 10)), st.floats(0.01, 0.5))
def test_settled_parts_are_never_far_out_of_order(depths: NDArray[np.float64], dead_band: float) -> None:
    """Neighbours in the order are out of order by the dead band at most."""
    settled = settle(depths, dead_band, loops=False)
    with_plane = np.pad(depths, ((0, 0), (0, 1)))
    ahead = dead_band * (with_plane.max() - with_plane.min())
    order = np.argsort(np.pad(settled, ((0, 0), (0, 1))), axis=1)
    in_order = np.take_along_axis(with_plane, order, axis=1)
    assert (in_order[:, :-1] - in_order[:, 1:] <= ahead + 1e-9).all()


@given(arrays(np.float64, (4, 3), elements=st.floats(-10, 10)))
def test_every_joint_is_drawn_once(depths: NDArray[np.float64]) -> None:
    """Whatever the depths, and even if a joint stands in two groups."""
    order = joint_draw_order(depths, [[5, 0], [2, 3, 4], [1, 0]], 7)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(7), (4, 1)))
