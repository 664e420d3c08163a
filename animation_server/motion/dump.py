"""What a retargeting computed, as named arrays to save and compare."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from animation_server.motion.retarget import RetargetResult


def dump_arrays(result: RetargetResult) -> dict[str, NDArray[Any]]:
    """Arrays for `numpy.savez`, under AnimatedDrawings' names; names are unicode arrays.

    joint_names (J), joints_xyz (N, J, 3), mapped_joint_names (M), orientations_deg_all (N, M),
    char_root_xy_all (N, 2), depth_driver_names (D), depths_all (N, D), group_order (N, G).
    """
    return {
        "joint_names": np.array(result.motion.joint_names),
        "joints_xyz": result.motion.joints_xyz,
        "mapped_joint_names": np.array(result.mapped_joint_names),
        "orientations_deg_all": result.orientations_deg,
        "char_root_xy_all": result.char_root_xy,
        "depth_driver_names": np.array(result.depth_driver_names),
        "depths_all": result.depths,
        "group_order": result.group_order,
    }
