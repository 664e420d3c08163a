"""Which body part is drawn over which, from the depth of the joints that drive them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def group_order(group_depths: NDArray[np.float64]) -> NDArray[np.int64]:
    """Groups from back to front, (N, G) indices, of mean depths (N, G); equal depths keep their order."""
    return np.argsort(group_depths, axis=1, kind="stable").astype(np.int64)


def joint_draw_order(
    group_depths: NDArray[np.float64], groups: Sequence[Sequence[int]], n_joints: int
) -> NDArray[np.int64]:
    """Joints from back to front, (N, n_joints).

    group_depths : (N, G) mean depth of each group.
    groups : G sequences of joint indices. A group in front of the root (depth > 0) is drawn in the order
        listed, any other in reverse. A joint in two groups counts in the latter.
    Joints in no group come first, at the very back, in the skeleton's order.
    """
    n_frames = len(group_depths)
    rank = np.argsort(group_order(group_depths), axis=1)  # (N, G) place of each group, 0 at the back
    key = np.full((n_frames, n_joints), -1, dtype=np.int64)
    for index, joints in enumerate(groups):
        listed = np.arange(len(joints))
        within = np.where(group_depths[:, index, None] > 0.0, listed, listed[::-1])
        key[:, list(joints)] = rank[:, index, None] * n_joints + within
    return np.argsort(key, axis=1, kind="stable").astype(np.int64)
