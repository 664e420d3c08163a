"""Channels of a BVH file: numbers a frame, to translations and rotations and back.

Position channels give a joint's whole local translation and stand in place of its OFFSET, on that axis, for
the root and for any other joint; rotation channels turn in the order in which they are listed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.errors import BvhError

POSITION_CHANNELS = ("Xposition", "Yposition", "Zposition")
ROTATION_CHANNELS = ("Xrotation", "Yrotation", "Zrotation")

_LEFT_OUT_DEG = 1e-4  # a rotation this small about an axis without a channel is rounding, not motion


def from_channels(
    skeleton: Skeleton, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Channel values (N, C) to translations (N, J, 3) and rotations (N, J, 4)."""
    n_frames = len(values)
    translations = np.tile(skeleton.offsets, (n_frames, 1, 1))
    rotations = quat.identity(n_frames, skeleton.n_joints)
    column = 0
    for joint, channels in enumerate(skeleton.channels):
        turns = []
        for name in channels:
            if name in POSITION_CHANNELS:
                translations[:, joint, POSITION_CHANNELS.index(name)] = values[:, column]
            else:
                turns.append(column)
            column += 1
        if turns:
            rotations[:, joint] = quat.from_euler(values[:, turns], _rotation_order(channels))
    return translations, quat.unroll(rotations)


def to_channels(clip: Clip) -> NDArray[np.float64]:
    """Channel values (N, C), the inverse of `from_channels`."""
    columns = []
    for joint, channels in enumerate(clip.skeleton.channels):
        name = clip.skeleton.names[joint]
        fixed = [axis for axis, channel in enumerate(POSITION_CHANNELS) if channel not in channels]
        drift = np.abs(clip.translations[:, joint, fixed] - clip.skeleton.offsets[joint, fixed])
        if drift.size and drift.max() > 1e-6 * max(1.0, float(np.abs(clip.skeleton.offsets).max())):
            raise BvhError(f"joint {name!r} moves away from its offset, but has no position channels for it")
        order = _rotation_order(channels)
        full = order + "".join(letter for letter in "XYZ" if letter not in order)
        angles = quat.to_euler(clip.rotations[:, joint], full)
        if len(order) == 2:
            angles = _other_way_round(angles, np.abs(angles[:, 2]) > 90.0)
        if len(order) < 3 and np.abs(angles[:, len(order) :]).max() > _LEFT_OUT_DEG:
            raise BvhError(
                f"joint {name!r} turns about an axis for which it has no rotation channel; "
                "convert --order ZXY, say, would give it all three"
            )
        for channel in channels:
            if channel in POSITION_CHANNELS:
                columns.append(clip.translations[:, joint, POSITION_CHANNELS.index(channel)])
            else:
                columns.append(angles[:, full.index(channel[0])])
    return np.stack(columns, axis=1) if columns else np.zeros((clip.n_frames, 0))


def _other_way_round(angles: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The second set of Euler angles (N, 3), degrees within +-180, for the same rotations in frames `where`.

    `quat.to_euler` keeps the middle angle within +-90. A joint past a right angle about the second of its two
    axes then seems to make half a turn about the third, for which it has no channel.
    """
    first, middle, last = angles.T
    other = np.stack([first + 180.0, 180.0 - middle, last + 180.0], axis=-1)
    return np.where(where[:, None], (other + 180.0) % 360.0 - 180.0, angles)


def _rotation_order(channels: tuple[str, ...]) -> str:
    return "".join(name[0] for name in channels if name in ROTATION_CHANNELS)
