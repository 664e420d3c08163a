"""A clip's joints seen from its own body: root at the origin, y up, the figure facing +x in every frame.

World frame of a clip after `normalize_clip`: y up, facing +x in the first frame, the root above the
origin and the ground joint on the ground in the first frame. N frames, B joints of the BVH.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animation_server.errors import InputError
from animation_server.motion.config import MotionConfig, Up
from bvh_tools.clip import Clip
from bvh_tools.kinematics import fk

UP_AXES: dict[Up, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    # which axes of the file become x, y, z, and with which signs; all are rotations
    "+x": ((1, 0, 2), (-1, 1, 1)),
    "-x": ((1, 0, 2), (1, -1, 1)),
    "+y": ((0, 1, 2), (1, 1, 1)),
    "-y": ((0, 1, 2), (-1, -1, 1)),
    "+z": ((1, 2, 0), (1, 1, 1)),
    "-z": ((0, 2, 1), (1, -1, 1)),
}
_TINY = 1e-9  # of a figure's size: shorter vectors have no direction


@dataclass(frozen=True)
class NormalizedMotion:
    """A clip, body and path apart.

    names : B BVH joint names.
    joints_xyz : (N, B, 3) float64, scaled; root at the origin, y up, facing +x.
    root_xyz : (N, 3) float64, the root's path, scaled, world frame of the clip.
    forward : (N, 3) float64 unit vectors, the direction the figure faces in that frame; y is 0.
    """

    names: tuple[str, ...]
    joints_xyz: NDArray[np.float64]
    root_xyz: NDArray[np.float64]
    forward: NDArray[np.float64]

    def joint(self, name: str) -> NDArray[np.float64]:
        """(N, 3) path of one joint, facing +x."""
        return self.joints_xyz[:, self.names.index(name)]


def normalize_clip(clip: Clip, config: MotionConfig) -> NormalizedMotion:
    """Scale a clip, stand it up and turn it to face +x.

    The frames are used as they are: `start_frame_idx` and `end_frame_idx` are not applied again.
    Raises InputError when the clip lacks a joint that the configuration names.
    """
    names = clip.skeleton.names
    left, right = (
        [_index(names, pair[k], "forward_perp_joint_vectors") for pair in config.forward_perp_joint_vectors]
        for k in (0, 1)
    )
    ground = _index(names, config.groundplane_joint, "groundplane_joint")
    xyz = stand_up(fk(clip), config.up) * config.scale
    body = xyz - xyz[:, :1]
    forward = _forward(body[:, right] - body[:, left], size=float(np.abs(body).max(initial=0.0)))

    root = xyz[:, 0] - [xyz[0, 0, 0], xyz[0, ground, 1], xyz[0, 0, 2]]
    return NormalizedMotion(
        names,
        joints_xyz=turn_to_x(body, forward[:, None]),
        root_xyz=turn_to_x(root, forward[0]),
        forward=turn_to_x(forward, forward[0]),
    )


def stand_up(xyz: NDArray[np.float64], up: Up) -> NDArray[np.float64]:
    """Rotate points (..., 3) by right angles so that the axis `up` becomes +y."""
    axes, signs = UP_AXES[up]
    stood: NDArray[np.float64] = xyz[..., axes] * np.array(signs, dtype=np.float64)
    return stood


def turn_to_x(xyz: NDArray[np.float64], forward: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate points (..., 3) about +y by the turn that takes horizontal unit vectors (..., 3) to +x."""
    cos, sin = forward[..., 0], forward[..., 2]
    x, y, z = xyz[..., 0], xyz[..., 1], xyz[..., 2]
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def hold_last(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replace each invalid row by the last valid one before it, or else the first after it.

    values : (N, ...).  valid : (N,), at least one True.
    """
    last = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    filled: NDArray[np.float64] = values[np.where(last < 0, np.argmax(valid), last)]
    return filled


def _forward(across: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Directions (N, 3) at right angles to the mean of the vectors' (N, K, 3) directions, seen from above.

    A frame in which they cancel out, or point straight up, keeps the direction of its neighbour; a clip
    in which all do so faces +x.
    """
    length = np.linalg.norm(across, axis=-1, keepdims=True)
    directed = length > _TINY * size
    mean = np.where(directed, across / np.where(directed, length, 1.0), 0.0).mean(axis=1)
    forward = np.stack([mean[:, 2], np.zeros(len(mean)), -mean[:, 0]], axis=-1)
    norm = np.linalg.norm(forward, axis=-1)
    valid = norm > _TINY
    if not valid.any():
        return np.tile([1.0, 0.0, 0.0], (len(mean), 1))
    forward[valid] /= norm[valid, None]
    return hold_last(forward, valid)


def _index(names: tuple[str, ...], joint: str, key: str) -> int:
    if joint not in names:
        raise InputError(
            f"motion configuration, {key}: the BVH has no joint {joint!r}; it has {', '.join(names)}",
            code="unknown_joint",
        )
    return names.index(joint)
