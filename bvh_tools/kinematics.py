"""Forward kinematics of a clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip


def fk_with_rotations(clip: Clip) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World positions (N, J, 3), file units, and world rotations (N, J, 4), wxyz, of all joints."""
    positions = np.zeros_like(clip.translations)
    rotations = np.zeros_like(clip.rotations)
    for joint, parent in enumerate(clip.skeleton.parents):
        if parent < 0:
            positions[:, joint] = clip.translations[:, joint]
            rotations[:, joint] = clip.rotations[:, joint]
            continue
        turned = quat.mul_vec(rotations[:, parent], clip.translations[:, joint])
        positions[:, joint] = positions[:, parent] + turned
        rotations[:, joint] = quat.mul(rotations[:, parent], clip.rotations[:, joint])
    return positions, rotations


def fk(clip: Clip) -> NDArray[np.float64]:
    """World positions of all joints, (N, J, 3) float64, in the file's unit."""
    return fk_with_rotations(clip)[0]


def end_site_positions(clip: Clip) -> dict[int, NDArray[np.float64]]:
    """World positions (N, 3) of the End Sites, by the index of the joint they belong to."""
    positions, rotations = fk_with_rotations(clip)
    return {
        joint: positions[:, joint] + quat.mul_vec(rotations[:, joint], np.asarray(offset, dtype=np.float64))
        for joint, offset in clip.skeleton.end_sites.items()
    }
