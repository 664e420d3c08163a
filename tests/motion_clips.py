"""Small clips and characters made for tests of motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animation_server.character import CharacterSkeleton, humanoid_skeleton
from animation_server.motion.config import MotionConfig, RetargetConfig
from animation_server.motion.mapping import derive_motion_config, derive_retarget_config
from bvh_tools import humanoid
from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton
from tests.figures import KEYPOINTS, SIZE

TEXTURE_SIZE = (SIZE[1], SIZE[0])


def drawn_skeleton() -> CharacterSkeleton:
    """A symmetric figure in TEXTURE_SIZE pixels."""
    return humanoid_skeleton({name: (float(x), float(y)) for name, (x, y) in KEYPOINTS.items()})


def wriggle(n_frames: int = 12, seed: int = 0, degrees: float = 35.0) -> Clip:
    """The authoring figure (facing +z, y up, in centimetres), joints turned at random, root wandering."""
    rng = np.random.default_rng(seed)
    skeleton = humanoid.skeleton()
    angles = rng.uniform(-degrees, degrees, (n_frames, skeleton.n_joints, 3))
    translations = np.tile(skeleton.offsets, (n_frames, 1, 1))
    translations[:, 0] = np.cumsum(rng.normal(0.0, 3.0, (n_frames, 3)), axis=0)
    translations[:, 0, 1] += 94.0
    return Clip(skeleton, translations, quat.from_euler(angles, "ZXY"), frame_time=0.1)


def standing(n_frames: int = 5) -> Clip:
    """The authoring figure in its T-pose, without any motion."""
    clip = wriggle(n_frames, degrees=0.0)
    return replace(clip, translations=np.repeat(clip.translations[:1], n_frames, axis=0))


def configs(clip: Clip) -> tuple[MotionConfig, RetargetConfig]:
    """Configurations for a clip of the authoring figure, all groups seen from the front."""
    retarget = derive_retarget_config(clip)
    groups = tuple(replace(g, method="frontal") for g in retarget.bvh_projection_bodypart_groups)
    return (
        derive_motion_config(clip, Path("made-up.bvh")),
        replace(retarget, bvh_projection_bodypart_groups=groups),
    )


def turned(clip: Clip, rotation: NDArray[np.float64]) -> Clip:
    """The whole clip turned about the origin by one quaternion (4,)."""
    translations, rotations = clip.translations.copy(), clip.rotations.copy()
    translations[:, 0] = quat.mul_vec(rotation, translations[:, 0])
    rotations[:, 0] = quat.mul(rotation, rotations[:, 0])
    return replace(clip, translations=translations, rotations=rotations)


def mirrored(clip: Clip) -> Clip:
    """The clip in a mirror that swaps left and right (x), joints swapped along with it."""
    partner = [clip.skeleton.names.index(swap_sides(name)) for name in clip.skeleton.names]
    return replace(
        clip,
        translations=clip.translations[:, partner] * [-1.0, 1.0, 1.0],
        rotations=clip.rotations[:, partner] * [1.0, 1.0, -1.0, -1.0],
    )


def swap_sides(name: str) -> str:
    """The other side's joint."""
    for left, right in (("Left", "Right"), ("left", "right")):
        if left in name:
            return name.replace(left, right)
        if right in name:
            return name.replace(right, left)
    return name


def renamed(clip: Clip, names: dict[str, str]) -> Clip:
    """The clip with some of its joints under other names."""
    skeleton = clip.skeleton
    new = tuple(names.get(name, name) for name in skeleton.names)
    return replace(clip, skeleton=replace(skeleton, names=new))


def under_reference(clip: Clip) -> Clip:
    """The clip below one more joint, which stands still away from the figure."""
    old = clip.skeleton
    n = clip.n_frames
    skeleton = Skeleton(
        names=("Reference", *old.names),
        parents=np.concatenate([[-1], old.parents + 1]),
        offsets=np.concatenate([np.zeros((1, 3)), old.offsets]),
        channels=(old.channels[0], *old.channels),
        end_sites={joint + 1: end for joint, end in old.end_sites.items()},
    )
    translations = np.concatenate([np.full((n, 1, 3), 7.0), clip.translations], axis=1)
    return Clip(
        skeleton, translations, np.concatenate([quat.identity(n, 1), clip.rotations], axis=1), clip.frame_time
    )
