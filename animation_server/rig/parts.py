"""Which bone each part of a figure belongs to: the nearest one, measured inside the figure.

A bone is named by the joint it ends in. J joints, T triangles.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from animation_server.rig.mesh import Mesh, rig_to_px
from animation_server.rig.working_mask import WorkingMask

_UNREACHED = np.float32(1e30)


_LINE_COST = np.float32(6.0)
"""How many pixels' way it costs to cross one pixel of a drawn line: parts end at lines rather than beyond."""


def label_bones(
    working: WorkingMask,
    parents: NDArray[np.int64],
    joints_px: ArrayLike,
    lines: NDArray[np.float32] | None = None,
) -> NDArray[np.int16]:
    """The bone nearest to every pixel of the figure, by distance inside the figure.

    parents : (J,) parent indices, -1 for the root. joints_px : (J, 2) x, y in texture pixels.
    lines : (H', W') float32 at working size, 0 to 1, where a line is drawn; it counts as a longer way.
    None for none.
    Returns (H', W') int16 joint indices at working size, -1 off the figure. A bone without length owns
    nothing, unless there is no other.
    """
    joints = working.from_texture(joints_px)
    usable = working.contains(joints)
    distance = np.full(working.pixels.shape, _UNREACHED, np.float32)
    labels = np.full(working.pixels.shape, -1, np.int16)
    for joint, parent in enumerate(parents):
        if parent < 0 or not (usable[joint] and usable[parent]):
            continue
        bone = joints[joint] - joints[parent]
        length = float(np.hypot(*bone))
        if length < 0.5:
            continue
        along = np.linspace(0.0, 1.0, int(2 * length) + 2)[:, None]
        x, y = np.rint(joints[parent] + along * bone).astype(np.int64).T
        free = (working.pixels[y, x] > 0) & (labels[y, x] < 0)
        distance[y[free], x[free]] = 0.0
        labels[y[free], x[free]] = joint
    if not (labels >= 0).any():
        labels[working.pixels > 0] = 0
        return labels
    cost = np.ones(labels.shape, np.float32) if lines is None else 1 + _LINE_COST * lines
    _spread(working.pixels, cost, distance, labels)
    return labels


@njit(nogil=True, cache=True)
def _spread(
    mask: NDArray[np.uint8],
    cost: NDArray[np.float32],
    distance: NDArray[np.float32],
    labels: NDArray[np.int16],
) -> None:
    """Geodesic distance (chamfer, 8 neighbours) and label of the nearest seed, by raster sweeps until
    nothing changes.
    """
    height, width = mask.shape
    diagonal = np.float32(np.sqrt(2.0))
    changed = True
    while changed:
        changed = False
        for sweep in range(2):
            step = 1 if sweep == 0 else -1
            for row_index in range(1, height - 1):
                row = row_index if sweep == 0 else height - 1 - row_index
                for column_index in range(1, width - 1):
                    column = column_index if sweep == 0 else width - 1 - column_index
                    if mask[row, column] == 0:
                        continue
                    best, label = distance[row, column], labels[row, column]
                    for k in range(4):  # the neighbours already visited: one beside, three in the row before
                        r = row if k == 0 else row - step
                        c = column - step if k == 0 else column + (k - 2)
                        way = diagonal if k in (1, 3) else np.float32(1.0)
                        candidate = distance[r, c] + way * cost[row, column]
                        if candidate < best - np.float32(1e-3):
                            best, label = candidate, labels[r, c]
                    if label != labels[row, column] or best < distance[row, column]:
                        distance[row, column], labels[row, column] = best, label
                        changed = True


def triangle_bones(mesh: Mesh, working: WorkingMask, labels: NDArray[np.int16]) -> NDArray[np.int64]:
    """The joint (T,) whose bone owns each triangle: that of the pixel under its centroid."""
    centroids = rig_to_px(mesh.vertices[mesh.triangles].mean(axis=1), working.height, working.width)
    at = np.rint(working.from_texture(centroids)).astype(np.int64)
    at = np.clip(at, 0, np.array(labels.shape[::-1]) - 1)
    owner = labels[at[:, 1], at[:, 0]]
    if (owner < 0).any():  # a centroid just off the figure: take the nearest pixel's
        rows, columns = np.nonzero(labels >= 0)
        for triangle in np.flatnonzero(owner < 0):
            nearest = np.hypot(columns - at[triangle, 0], rows - at[triangle, 1]).argmin()
            owner[triangle] = labels[rows[nearest], columns[nearest]]
    return owner.astype(np.int64)
