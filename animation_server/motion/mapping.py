"""Configurations for a bare BVH file: made from its skeleton, so that it moves a character without any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animation_server.motion.config import (
    BodypartGroup,
    MotionConfig,
    ProjectionGroup,
    RetargetConfig,
    RootOffset,
    Up,
)
from animation_server.motion.heading import UP_AXES, stand_up
from animation_server.motion.humanoid import Humanoid, Limb, find_humanoid
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.kinematics import fk, fk_with_rotations

_SAMPLES = 60  # frames looked at; more say nothing new about how a figure stands


def derive_motion_config(clip: Clip, path: Path) -> MotionConfig:
    """How the figure in a clip stands: its up axis, ground joint, forward vectors and scale.

    path : the file that the clip was read from.
    The scale makes a leg one unit long.
    Raises InputError when the skeleton holds no figure (`humanoid.find_humanoid`).
    """
    joints_xyz = _samples(clip)
    figure = find_humanoid(clip.skeleton, joints_xyz)
    names = clip.skeleton.names
    leg = figure.left_leg
    leg_xyz = joints_xyz[:, [leg.start, leg.bend, leg.end]]
    length = float(np.linalg.norm(np.diff(leg_xyz, axis=1), axis=-1).sum(axis=1).max())
    return MotionConfig(
        filepath=path,
        groundplane_joint=names[leg.end],
        forward_perp_joint_vectors=(
            (names[figure.left_arm.start], names[figure.right_arm.start]),
            (names[figure.left_leg.start], names[figure.right_leg.start]),
        ),
        scale=1.0 / length if length > 0.0 else 1.0,
        up=find_up(figure, joints_xyz),
    )


def derive_retarget_config(clip: Clip) -> RetargetConfig:
    """How the figure in a clip drives AnimatedDrawings' sixteen joints.

    Limbs are seen from whichever side shows more of their movement, the trunk from the front.
    Raises InputError when the skeleton holds no figure (`humanoid.find_humanoid`).
    """
    figure = find_humanoid(clip.skeleton, _samples(clip))
    names = clip.skeleton.names
    hips, chest, head = names[figure.hips], names[figure.chest], names[figure.head]
    left_arm, right_arm = _names(names, figure.left_arm), _names(names, figure.right_arm)
    left_leg, right_leg = _names(names, figure.left_leg), _names(names, figure.right_leg)
    mapping = {"torso": (hips, chest), "neck": (hips, head)} if chest != hips else {"neck": (hips, head)}
    for side, arm, leg in (("left", left_arm, left_leg), ("right", right_arm, right_leg)):
        mapping |= {
            f"{side}_elbow": (arm[0], arm[1]),
            f"{side}_hand": (arm[1], arm[2]),
            f"{side}_knee": (leg[0], leg[1]),
            f"{side}_foot": (leg[1], leg[2]),
        }
    return RetargetConfig(
        char_starting_location=(0.0, 0.0, -0.5),
        bvh_projection_bodypart_groups=(
            ProjectionGroup("Upper Limbs", _seen(clip.skeleton, figure.left_arm, figure.right_arm), "pca"),
            ProjectionGroup("Lower Limbs", _seen(clip.skeleton, figure.left_leg, figure.right_leg), "pca"),
            ProjectionGroup("Trunk", tuple(dict.fromkeys((hips, chest, head))), "frontal"),
        ),
        char_bodypart_groups=(
            BodypartGroup(
                (hips,),
                ("right_shoulder", "left_shoulder", "right_hip", "left_hip", "hip", "torso", "neck"),
            ),
            BodypartGroup((left_arm[2],), ("left_elbow", "left_hand")),
            BodypartGroup((right_arm[2],), ("right_elbow", "right_hand")),
            BodypartGroup((left_leg[2],), ("left_knee", "left_foot")),
            BodypartGroup((right_leg[2],), ("right_knee", "right_foot")),
        ),
        char_bvh_root_offset=RootOffset(
            "Lower Limbs",
            bvh_joints=(left_leg[::-1], right_leg[::-1]),
            char_joints=(("left_foot", "left_knee", "left_hip"), ("right_foot", "right_knee", "right_hip")),
        ),
        char_joint_bvh_joints_mapping=mapping,
        char_runtime_checks=(("above", "neck", "right_shoulder", "left_shoulder"),),
        depth_dead_band=0.05,
        root_turns_true=True,
    )


def rooted_at_hips(clip: Clip) -> Clip:
    """Drop what a clip's skeleton has above and beside the hips, such as a reference node in the scene.

    The hips become the root and move as before; AnimatedDrawings takes the root for the pelvis.
    """
    hips = find_humanoid(clip.skeleton, _samples(clip)).hips
    if hips == 0:
        return clip
    old = clip.skeleton
    keep = [hips]
    for joint in range(hips + 1, old.n_joints):
        if int(old.parents[joint]) in keep:
            keep.append(joint)
    positions, rotations = fk_with_rotations(clip)
    translations, turns = clip.translations[:, keep].copy(), clip.rotations[:, keep].copy()
    translations[:, 0], turns[:, 0] = positions[:, hips], rotations[:, hips]
    channels = tuple(old.channels[joint] for joint in keep)
    positioned = ("Xposition", "Yposition", "Zposition", *(c for c in channels[0] if c.endswith("rotation")))
    skeleton = Skeleton(
        names=tuple(old.names[joint] for joint in keep),
        parents=np.array([-1, *(keep.index(int(old.parents[joint])) for joint in keep[1:])], dtype=np.int64),
        offsets=old.offsets[keep],
        channels=(positioned, *channels[1:]),
        end_sites={keep.index(joint): end for joint, end in old.end_sites.items() if joint in keep},
    )
    return replace(clip, skeleton=skeleton, translations=translations, rotations=turns)


def find_up(figure: Humanoid, joints_xyz: NDArray[np.float64]) -> Up:
    """The axis that points from feet to head, on average over frames: joints (N, J, 3)."""
    feet = joints_xyz[:, [figure.left_leg.end, figure.right_leg.end]].mean(axis=1)
    tall = (joints_xyz[:, figure.head] - feet).mean(axis=0)
    return max(UP_AXES, key=lambda up: float(stand_up(tall, up)[1]))


def _samples(clip: Clip) -> NDArray[np.float64]:
    step = -(-clip.n_frames // _SAMPLES)
    return fk(replace(clip, translations=clip.translations[::step], rotations=clip.rotations[::step]))


def _names(names: tuple[str, ...], limb: Limb) -> tuple[str, str, str]:
    return names[limb.start], names[limb.bend], names[limb.end]


def _seen(skeleton: Skeleton, *limbs: Limb) -> tuple[str, ...]:
    """The limbs' joints and what follows first on each, toes or fingers: they too show where it points."""
    joints = []
    for limb in limbs:
        tips = np.flatnonzero(skeleton.parents == limb.end)[:1].tolist()
        joints += [limb.start, limb.bend, limb.end, *tips]
    return tuple(skeleton.names[joint] for joint in joints)
