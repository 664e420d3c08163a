"""The same motion told otherwise: up axis, unit, frame rate, joint names, rotation order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bvh_tools import quaternion as quat
from bvh_tools.channels import POSITION_CHANNELS
from bvh_tools.clip import MAX_POSES, Clip
from bvh_tools.errors import BvhError
from bvh_tools.humanoid import aim
from bvh_tools.loop import is_loop, up_vector
from bvh_tools.resample import resample


def change_up(clip: Clip, up: str, to: str) -> Clip:
    """Turn the whole world, rest pose included, so that axis `up` becomes axis `to`: "+z" to "+y" mostly.

    Both are names such as "+y". Between opposite axes the world makes half a turn about an axis across them.
    """
    turn = aim(up_vector(up), up_vector(to))
    if up.lower() == to.lower():
        return clip
    back = quat.inverse(turn)
    skeleton = replace(
        clip.skeleton,
        offsets=quat.mul_vec(turn, clip.skeleton.offsets),
        end_sites={
            joint: _triple(quat.mul_vec(turn, np.array(offset)))
            for joint, offset in clip.skeleton.end_sites.items()
        },
        channels=tuple(_with_all_axes(channels) for channels in clip.skeleton.channels),
    )
    return replace(
        clip,
        skeleton=skeleton,
        translations=quat.mul_vec(turn, clip.translations),
        rotations=quat.unroll(quat.mul(quat.mul(turn, clip.rotations), back)),
    )


def change_scale(clip: Clip, factor: float) -> Clip:
    """Multiply all lengths by `factor`, above 0."""
    if not (math.isfinite(factor) and factor > 0.0):
        raise BvhError(f"expected a scale above 0, got {factor}")
    skeleton = replace(
        clip.skeleton,
        offsets=clip.skeleton.offsets * factor,
        end_sites={j: _triple(np.array(offset) * factor) for j, offset in clip.skeleton.end_sites.items()},
    )
    return replace(clip, skeleton=skeleton, translations=clip.translations * factor)


def change_fps(clip: Clip, fps: float) -> Clip:
    """Resample to `fps` frames a second, as nearly as a whole number of frames over the same time allows.

    A clip that loops still does.
    """
    if not (math.isfinite(fps) and fps > 0.0):
        raise BvhError(f"expected a frame rate above 0, got {fps}")
    frames = min(clip.duration * fps, MAX_POSES + 1.0)  # infinity cannot be rounded, and both are refused
    return resample(clip, max(1, round(frames)), loops=is_loop(clip))


def rename_joints(clip: Clip, names: Mapping[str, str]) -> Clip:
    """Give joints other names; `names` maps old to new. Raises BvhError for unknown or repeated names."""
    unknown = [name for name in names if name not in clip.skeleton.names]
    if unknown:
        raise BvhError(f"expected joints of the clip ({', '.join(clip.skeleton.names)}), got {unknown[0]!r}")
    renamed = tuple(names.get(name, name) for name in clip.skeleton.names)
    if len(set(renamed)) != len(renamed) or not all(name.strip() for name in renamed):
        raise BvhError("expected every joint to keep a name of its own, got two alike or an empty one")
    return replace(clip, skeleton=replace(clip.skeleton, names=renamed))


def change_rotation_order(clip: Clip, order: str) -> Clip:
    """Write all rotations in one order, such as "ZXY"; joints without rotation channels get them too."""
    order = order.upper()
    if sorted(order) != ["X", "Y", "Z"]:
        raise BvhError(f"expected a rotation order with X, Y and Z once each, got {order!r}")
    turns = tuple(f"{letter}rotation" for letter in order)
    channels = tuple(
        (*(name for name in joint if name in POSITION_CHANNELS), *turns) for joint in clip.skeleton.channels
    )
    return replace(clip, skeleton=replace(clip.skeleton, channels=channels))


def _with_all_axes(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Channels that can still say the motion after the axes have changed: all of a kind, or none."""
    positions = [name for name in channels if name in POSITION_CHANNELS]
    turns = [name for name in channels if name not in POSITION_CHANNELS]
    if positions:
        positions += [name for name in POSITION_CHANNELS if name not in positions]
    if turns:
        turns += [f"{letter}rotation" for letter in "ZXY" if f"{letter}rotation" not in turns]
    return (*positions, *turns)


def _triple(vector: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
