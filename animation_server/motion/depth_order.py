"""Which body part is drawn over which, from the depth of the joints that drive them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def group_order(group_depths: NDArray[np.float64]) -> NDArray[np.int64]:
    """Groups from back to front, (N, G) indices, of mean depths (N, G); equal depths keep their order."""
    return np.argsort(group_depths, axis=1, kind="stable").astype(np.int64)


def settle(group_depths: NDArray[np.float64], dead_band: float, *, loops: bool) -> NDArray[np.float64]:
    """Depths (N, G) in whose order groups change places only when one is clearly ahead of the other.

    Parts that lie at about the same depth would otherwise swap back and forth from frame to frame.
    group_depths : (N, G). dead_band : how far ahead, as a share of the range of depths; 0 changes nothing.
    loops : the clip's end leads into its start, and so does the order.

    Returns whole numbers: places in the order, counted from the root's plane, so that their signs tell front
    from back as depths do.
    """
    if dead_band == 0.0 or not group_depths.size:
        return group_depths
    plane = group_depths.shape[1]  # the root's plane, at depth 0, takes part as one more group
    depths = np.pad(group_depths, ((0, 0), (0, 1)))
    ahead = dead_band * float(depths.max() - depths.min())
    order = np.argsort(depths[0], kind="stable").tolist()
    orders = []
    for frame in depths.tolist() * (2 if loops else 1):
        # insertion sort: from frame to frame the order hardly changes
        for end in range(1, plane + 1):
            place = end
            while place and frame[order[place - 1]] > frame[order[place]] + ahead:
                order[place - 1], order[place] = order[place], order[place - 1]
                place -= 1
        orders.append(order.copy())
    places = np.argsort(np.array(orders[-len(depths) :]), axis=1).astype(np.float64)
    return places[:, :plane] - places[:, plane:]


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
