"""Retarget a BVH clip onto a drawn character, as AnimatedDrawings does.

Smith et al., "A Method for Animating Children's Drawings of the Human Figure", ACM TOG 2023, section 3.4:
every group of BVH joints is projected on a plane that shows its movement, mapped bones take the projected
directions, body parts are ordered by depth, and the root's path is scaled by the length of the legs.
On purpose different: a mapped bone reaches its direction whatever the bones above it do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animation_server.character import CharacterSkeleton
from animation_server.errors import InputError
from animation_server.motion.config import MotionConfig, RetargetConfig
from animation_server.motion.depth_order import group_order, joint_draw_order, settle
from animation_server.motion.heading import NormalizedMotion, normalize_clip
from animation_server.motion.projection import (
    Plane,
    choose_plane,
    close_path,
    depth,
    orientation_deg,
    root_path,
)
from animation_server.motion.rig_motion import RigMotion
from animation_server.rig.skeleton import RigSkeleton, fk, rig_skeleton
from bvh_tools.clip import Clip

_POINT = 1e-6  # of a figure's size: limbs shorter than this would blow the root's path up beyond all measure


@dataclass(frozen=True)
class RetargetResult:
    """A rig in motion, and the quantities it was made of. N frames, M mapped joints, D drivers, G groups.

    motion : what is deformed and drawn.
    planes : side each projection group is seen from, by its name.
    mapped_joint_names : M character joints whose bones are driven.
    orientations_deg : (N, M) float64 in [0, 360), directions of those bones, counter-clockwise from up.
    char_root_xy : (N, 2) float64, way of the root since the first frame, world units.
    char_to_bvh_scale : world units of the character for each unit of the scaled BVH.
    depth_driver_names : D BVH joints.
    depths : (N, D) float64, their depth on their group's plane, scaled BVH units, toward the viewer.
    group_order : (N, G) int64, indices of `char_bodypart_groups` from back to front, as they
        are drawn.
    """

    motion: RigMotion
    planes: dict[str, Plane]
    mapped_joint_names: tuple[str, ...]
    orientations_deg: NDArray[np.float64]
    char_root_xy: NDArray[np.float64]
    char_to_bvh_scale: float
    depth_driver_names: tuple[str, ...]
    depths: NDArray[np.float64]
    group_order: NDArray[np.int64]


def retarget(
    clip: Clip,
    motion: MotionConfig,
    retarget: RetargetConfig,
    skeleton: CharacterSkeleton,
    texture_size: tuple[int, int],
) -> RetargetResult:
    """Move a character as a clip moves.

    clip : the frames to use; the configuration's start and end are not applied again.
    texture_size : (H, W) pixels of the texture that the skeleton's joints lie in.
    Raises InputError when the clip or the character lacks a joint that a configuration names.
    """
    rig = rig_skeleton(skeleton, texture_size)
    _require(retarget, clip.skeleton.names, rig.names)
    body = normalize_clip(clip, motion)
    planes = tuple(
        choose_plane(group.method, np.stack([body.joint(name) for name in group.bvh_joint_names], axis=1))
        for group in retarget.bvh_projection_bodypart_groups
    )

    orientations = _orientations_deg(retarget, rig, body, planes)
    joints_xy = fk(rig, _bone_turns_deg(retarget, rig, orientations, clip.n_frames))

    scale = _char_to_bvh_scale(retarget, rig, body)
    char_root_xy = scale * _root_path(retarget, body, planes)
    if motion.loops:
        char_root_xy = close_path(char_root_xy)
    root_xyz = np.array(retarget.char_starting_location) + np.pad(char_root_xy, ((0, 0), (0, 1)))

    drivers = retarget.depth_drivers
    depths = _depths(retarget, body, planes)
    group_depths = np.stack(
        [
            depths[:, [drivers.index(name) for name in group.bvh_depth_drivers]].mean(axis=1)
            for group in retarget.char_bodypart_groups
        ],
        axis=1,
    )
    group_depths = settle(group_depths, retarget.depth_dead_band, loops=motion.loops)
    members = [[rig.index(name) for name in group.char_joints] for group in retarget.char_bodypart_groups]

    return RetargetResult(
        motion=RigMotion(
            joint_names=rig.names,
            joints_xyz=root_xyz[:, None] + np.pad(joints_xy, ((0, 0), (0, 0), (0, 1))),
            root_xyz=root_xyz,
            draw_order=joint_draw_order(group_depths, members, len(rig.names)),
            frame_time=clip.frame_time,
            loops=motion.loops,
        ),
        planes={
            group.name: plane
            for group, plane in zip(retarget.bvh_projection_bodypart_groups, planes, strict=True)
        },
        mapped_joint_names=tuple(orientations),
        orientations_deg=np.stack(list(orientations.values()), axis=1)
        if orientations
        else np.zeros((clip.n_frames, 0)),
        char_root_xy=char_root_xy,
        char_to_bvh_scale=scale,
        depth_driver_names=drivers,
        depths=depths,
        group_order=group_order(group_depths),
    )


def _orientations_deg(
    retarget: RetargetConfig, rig: RigSkeleton, body: NormalizedMotion, planes: tuple[Plane, ...]
) -> dict[str, NDArray[np.float64]]:
    """Direction (N,) of each driven bone, by the character joint it ends in."""
    group_of = retarget.projection_group_of()
    left_out = {
        joint
        for _, joint, a, b in retarget.char_runtime_checks
        if not _is_above(*(rig.joints_rig[rig.index(name)] for name in (joint, a, b)))
    }
    orientations = {}
    for joint, (start, end) in retarget.char_joint_bvh_joints_mapping.items():
        if joint in left_out:
            continue
        bone = body.joint(end) - body.joint(start)
        angles = orientation_deg(bone, planes[group_of[end]])
        rest = rig.rest_angles_deg[rig.index(joint)]
        orientations[joint] = np.full(len(bone), rest) if angles is None else angles
    return orientations


def _bone_turns_deg(
    retarget: RetargetConfig,
    rig: RigSkeleton,
    orientations: dict[str, NDArray[np.float64]],
    n_frames: int,
) -> NDArray[np.float64]:
    """Turn (N, J) of every bone against its rest direction.

    A driven bone turns to its direction. Any other is carried by the bone above it; where a driven bone
    beside it is measured from the same BVH joint as that one, the two span the same part of the body, and it
    is carried by its neighbour, which reaches further (shoulders by a neck that is measured from the hips).
    """
    source = {rig.index(name): retarget.char_joint_bvh_joints_mapping[name][0] for name in orientations}
    driven = {
        rig.index(name): angles - rig.rest_angles_deg[rig.index(name)]
        for name, angles in orientations.items()
    }
    turns = np.zeros((n_frames, len(rig.names)))
    carrying = np.zeros_like(turns)  # by joint: the turn of the bones that start in it and are not driven
    for joint, parent in enumerate(rig.parents.tolist()):
        if joint in driven:
            turns[:, joint] = driven[joint]
        elif parent >= 0:
            turns[:, joint] = carrying[:, parent]
        carrier = next(
            (k for k in driven if rig.parents[k] == joint and source.get(joint, source[k]) == source[k]), None
        )
        carrying[:, joint] = turns[:, joint] if carrier is None else driven[carrier]
    return turns


def _char_to_bvh_scale(retarget: RetargetConfig, rig: RigSkeleton, body: NormalizedMotion) -> float:
    """Ratio of the limbs' summed lengths, character to BVH (first frame); 0 where the BVH's are but a point.

    Sums, not means: a character with four legs on a BVH with two makes longer steps, as in AnimatedDrawings.
    """
    offset = retarget.char_bvh_root_offset
    bvh = _limbs_length([np.stack([body.joint(name)[0] for name in limb]) for limb in offset.bvh_joints])
    char = _limbs_length([rig.joints_rig[[rig.index(name) for name in limb]] for limb in offset.char_joints])
    return char / bvh if bvh > _POINT * float(np.abs(body.joints_xyz).max()) else 0.0


def _limbs_length(limbs: list[NDArray[np.float64]]) -> float:
    return sum(float(np.linalg.norm(np.diff(limb, axis=0), axis=1).sum()) for limb in limbs)


def _root_path(
    retarget: RetargetConfig, body: NormalizedMotion, planes: tuple[Plane, ...]
) -> NDArray[np.float64]:
    wanted = retarget.char_bvh_root_offset.bvh_projection_bodypart_group_for_offset
    names = [group.name for group in retarget.bvh_projection_bodypart_groups]
    plane = planes[names.index(wanted)]
    return root_path(body.root_xyz, body.forward, plane, turns_true=retarget.root_turns_true)


def _depths(
    retarget: RetargetConfig, body: NormalizedMotion, planes: tuple[Plane, ...]
) -> NDArray[np.float64]:
    """Depth (N, D) of the drivers, each on the plane of its group."""
    group_of = retarget.projection_group_of()
    return np.stack(
        [depth(body.joint(name), planes[group_of[name]]) for name in retarget.depth_drivers], axis=1
    )


def _is_above(point: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> bool:
    """Whether a point (2,) lies above the line through two others; y up.

    Beside an upright line there is no above: then it is whether the point lies higher than its middle.
    """
    along = end - start
    offset = point - start
    if along[0] == 0.0:
        return bool(point[1] > (start[1] + end[1]) / 2)
    return bool((along[0] * offset[1] - along[1] * offset[0]) * np.sign(along[0]) > 0.0)


def _require(retarget: RetargetConfig, bvh_names: tuple[str, ...], char_names: tuple[str, ...]) -> None:
    """Refuse a configuration that names joints which the BVH or the character lacks."""
    offset = retarget.char_bvh_root_offset
    mapping = retarget.char_joint_bvh_joints_mapping
    wanted_bvh = {
        *(name for group in retarget.bvh_projection_bodypart_groups for name in group.bvh_joint_names),
        *(name for limb in offset.bvh_joints for name in limb),
        *(name for pair in mapping.values() for name in pair),
    }
    wanted_char = {
        *mapping,
        *(name for group in retarget.char_bodypart_groups for name in group.char_joints),
        *(name for limb in offset.char_joints for name in limb),
        *(name for check in retarget.char_runtime_checks for name in check[1:]),
    }
    for what, wanted, have in (("BVH", wanted_bvh, bvh_names), ("character", wanted_char, char_names)):
        if missing := sorted(wanted.difference(have)):
            raise InputError(
                f"retarget configuration: the {what} has no joint {', '.join(missing)}; "
                f"it has {', '.join(have)}. Use the configuration made for this skeleton",
                code="unknown_joint",
                status=422,
            )
