"""Retargeting against numbers that AnimatedDrawings computed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from animation_server.character import read_character
from animation_server.motion.heading import NormalizedMotion, normalize_clip
from animation_server.motion.library import load_motion
from animation_server.motion.retarget import RetargetResult, retarget
from animation_server.rig.skeleton import angle_from_up_deg, rig_skeleton
from tests.places import SHARED

REFERENCES = sorted((SHARED / "reference").glob("*.npz"))
EXAMPLES = SHARED / "animated_drawings" / "examples"
ARMS = ("elbow", "hand")

pytestmark = pytest.mark.skipif(not REFERENCES, reason="needs the reference numbers beside the checkout")


class Case:
    """One reference and what we make of the same input."""

    def __init__(self, stem: str) -> None:
        with np.load(SHARED / "reference" / f"{stem}.npz", allow_pickle=False) as file:
            self.reference: dict[str, NDArray[Any]] = dict(file)
        self.meta = json.loads(str(self.reference["meta"]))
        character = read_character(EXAMPLES / "characters" / self.meta["char"])
        motion = load_motion(
            EXAMPLES / "config" / "motion" / f"{self.meta['motion']}.yaml",
            EXAMPLES / "config" / "retarget" / f"{self.meta['retarget']}.yaml",
        )
        self.rig = rig_skeleton(character.skeleton, character.mask.shape[:2])
        self.body: NormalizedMotion = normalize_clip(motion.clip, motion.config)
        self.result: RetargetResult = retarget(
            motion.clip, motion.config, motion.retarget, character.skeleton, character.mask.shape[:2]
        )


@pytest.fixture(params=[path.stem for path in REFERENCES], scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def apart_deg(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs((a - b + 180.0) % 360.0 - 180.0).max())


def test_rest_pose(case: Case) -> None:
    """Joints, hierarchy and rest angles of bones that have a length."""
    assert case.rig.names == tuple(case.reference["joint_names"])
    np.testing.assert_allclose(case.rig.joints_rig, case.reference["rest_joints_xy"], atol=1e-7)
    has_length = case.rig.bone_lengths > 0.0
    theirs = case.reference["starting_theta_deg"]
    assert apart_deg(case.rig.rest_angles_deg[has_length], theirs[has_length]) < 1e-4


def test_clip_scaled_upright_and_facing_x(case: Case) -> None:
    """Joints in every sampled frame; root path and heading in all."""
    reference, names = case.reference, list(case.reference["bvh_joint_names"])
    ours = case.body.joints_xyz[reference["frames"]]
    theirs = reference["bvh_joints_normalized"][:, [names.index(name) for name in case.body.names]]
    np.testing.assert_allclose(ours, theirs, atol=3e-5)
    np.testing.assert_allclose(case.body.root_xyz, reference["bvh_root_xyz_all"], atol=1e-5)
    np.testing.assert_allclose(case.body.forward, reference["fwd_vectors_all"], atol=2e-5)


def test_planes_and_scale(case: Case) -> None:
    """The side that PCA picks for each group, and the ratio of leg lengths."""
    planes = {name: plane.split("(")[1].rstrip(")") for name, plane in case.meta["projection_planes"].items()}
    assert case.result.planes == planes
    assert case.result.char_to_bvh_scale == pytest.approx(case.meta["char_to_bvh_scale"], rel=1e-5)


def test_orientations(case: Case) -> None:
    """Every mapped bone in every frame."""
    names = list(case.reference["mapped_joint_names"])
    theirs = case.reference["orientations_deg_all"][
        :, [names.index(n) for n in case.result.mapped_joint_names]
    ]
    assert len(names) == len(case.result.mapped_joint_names)
    assert apart_deg(case.result.orientations_deg, theirs) < 2e-3


def test_root_and_depths(case: Case) -> None:
    """In every frame."""
    reference, result = case.reference, case.result
    np.testing.assert_allclose(result.char_root_xy, reference["char_root_xy_all"], atol=1e-5)
    assert result.depth_driver_names == tuple(reference["depth_driver_names"])
    np.testing.assert_allclose(result.depths, reference["depths_all"], atol=1e-5)


def test_draw_order(case: Case) -> None:
    """Groups by depth; within a group as listed or in reverse, by the sign."""
    reference, frames = case.reference, case.reference["frames"]
    np.testing.assert_array_equal(case.result.group_order[frames], reference["group_order"])
    groups = [group["char_joints"] for group in case.meta["bodypart_groups"]]
    names = np.array(case.result.motion.joint_names)
    for k, frame in enumerate(frames):
        expected = [
            joint
            for group, sign in zip(reference["group_order"][k], reference["group_sign"][k], strict=True)
            for joint in groups[group][::sign]
        ]
        drawn = names[case.result.motion.draw_order[frame]].tolist()
        assert drawn[-len(expected) :] == expected
        assert set(drawn[: -len(expected)]).isdisjoint(expected)


def test_posed_joints(case: Case) -> None:
    """Trunk, shoulders and legs stand where theirs do; arms point where theirs should have pointed."""
    reference, motion = case.reference, case.result.motion
    ours, theirs = motion.joints_xyz[reference["frames"]], reference["joints_xyz"]
    arms = np.array([any(part in name for part in ARMS) for name in motion.joint_names])
    np.testing.assert_allclose(ours[:, ~arms], theirs[:, ~arms], atol=1e-5)
    np.testing.assert_allclose(motion.root_xyz[reference["frames"]], reference["root_xyz"], atol=1e-5)
    mapped = list(reference["mapped_joint_names"])
    for joint in np.flatnonzero(arms):
        bone = motion.joints_xyz[:, joint, :2] - motion.joints_xyz[:, case.rig.parents[joint], :2]
        asked = reference["orientations_deg_all"][:, mapped.index(motion.joint_names[joint])]
        assert apart_deg(angle_from_up_deg(bone), asked) < 2e-3
