"""From three dimensions to the drawing's two: from which side to look, and what is seen from there.

The figure faces +x, y up (`heading.NormalizedMotion`). "frontal" looks at its front: across the view runs
-z, and depth is x. "sagittal" looks at its right side: across runs +x, and depth is z. Depth grows toward
the viewer. N frames.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from animation_server.motion.config import ProjectionMethod
from animation_server.motion.heading import hold_last
from animation_server.rig.skeleton import angle_from_up_deg

Plane = Literal["frontal", "sagittal"]

_TINY = 1e-6  # of a bone's length: a bone seen shorter than this points at the viewer


def choose_plane(method: ProjectionMethod, points: NDArray[np.float64]) -> Plane:
    """The side to look from. For "pca": along the direction in which the points spread least.

    points : (N, K, 3) joints of the group, facing +x.
    The spread is the principal component of all points of all frames with the least variance; whichever of
    x and z it lies closer to is the viewing direction. Points that do not spread are seen from the front.
    """
    if method != "pca":
        return method
    cloud = points.reshape(-1, 3) - points.reshape(-1, 3).mean(axis=0)
    _, components = np.linalg.eigh(cloud.T @ cloud)  # ascending
    least = np.abs(components[:, 0])
    return "sagittal" if least[2] > least[0] else "frontal"


def project(xyz: NDArray[np.float64], plane: Plane) -> NDArray[np.float64]:
    """Points or vectors (..., 3) as seen on the plane, (..., 2): x right, y up."""
    across = -xyz[..., 2] if plane == "frontal" else xyz[..., 0]
    return np.stack([across, xyz[..., 1]], axis=-1)


def depth(xyz: NDArray[np.float64], plane: Plane) -> NDArray[np.float64]:
    """Depth (...) of points (..., 3): how far they lie toward the viewer."""
    return xyz[..., 0 if plane == "frontal" else 2]


def orientation_deg(bone_xyz: NDArray[np.float64], plane: Plane) -> NDArray[np.float64] | None:
    """Angles (N,) in [0, 360), counter-clockwise from up, of a bone (N, 3) as seen on the plane.

    While the bone has no direction, it keeps the one it had; None when it has none in any frame.
    """
    seen = project(bone_xyz, plane)
    length = np.linalg.norm(bone_xyz, axis=-1)
    valid = np.linalg.norm(seen, axis=-1) > _TINY * length.max(initial=0.0)
    return hold_last(angle_from_up_deg(seen), valid) if valid.any() else None


def root_path(
    root_xyz: NDArray[np.float64], forward: NDArray[np.float64], plane: Plane, *, turns_true: bool
) -> NDArray[np.float64]:
    """The root's way (N, 2) as seen on the plane by a viewer who turns with the figure; starts at 0, 0.

    root_xyz, forward : (N, 3) each, see `heading.NormalizedMotion`.
    turns_true : in the frontal plane, AnimatedDrawings takes as "across" a direction that is right for a
        figure facing +x and gains the wrong sign as the figure turns aside: it mirrors the part of the
        step along x. True measures along the figure's true left instead.
    """
    steps = np.diff(root_xyz, axis=0)
    facing_x, facing_z = forward[1:, 0], forward[1:, 2]
    if plane == "sagittal":
        across = facing_x * steps[:, 0] + facing_z * steps[:, 2]
    else:
        across = (facing_z if turns_true else -facing_z) * steps[:, 0] - facing_x * steps[:, 2]
    path = np.zeros((len(root_xyz), 2))
    path[1:, 0] = np.cumsum(across)
    path[:, 1] = root_xyz[:, 1] - root_xyz[0, 1]
    return path


def close_path(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take out the drift of a path (N, 2) that loops, so that the step from last to first is like the others.

    The step that closes the loop is taken to be the mean of the last and the first one, so a walk at even
    speed becomes a walk on the spot. A path that closes already is left as it is.
    """
    if len(path) < 3:
        return path
    steps = np.diff(path, axis=0)
    jump = np.linalg.norm(path[0] - path[-1])
    if jump <= 1.5 * np.linalg.norm(steps, axis=1).max():
        return path
    drift = path[-1] - path[0] + (steps[0] + steps[-1]) / 2
    closed: NDArray[np.float64] = path - np.arange(len(path))[:, None] / len(path) * drift
    return closed
