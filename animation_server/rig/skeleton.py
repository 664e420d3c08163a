"""The rig's skeleton: its rest pose in the plane of the drawing, and forward kinematics.

Rig frame: x right, y up, one unit is the larger side of the texture; the texture's left and bottom edges
lie on x = 0 and y = 0. Angles are in degrees counter-clockwise from +y. J joints, N frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from animation_server.character import CharacterSkeleton


@dataclass(frozen=True)
class RigSkeleton:
    """A rest pose in the rig frame.

    names : J joint names, parents before children; the first is the root.
    parents : (J,) int64, index of the parent, -1 for the root.
    joints_rig : (J, 2) float64 x, y of the joints at rest, rig frame.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    joints_rig: NDArray[np.float64]

    @cached_property
    def bones_rig(self) -> NDArray[np.float64]:
        """(J, 2) the bone that ends in each joint: joint minus parent. Zero for the root."""
        bones = self.joints_rig - self.joints_rig[self.parents]
        bones[self.parents < 0] = 0.0
        return bones

    @cached_property
    def bone_lengths(self) -> NDArray[np.float64]:
        """(J,) length of the bone that ends in each joint, rig units."""
        lengths: NDArray[np.float64] = np.linalg.norm(self.bones_rig, axis=1)
        return lengths

    @cached_property
    def rest_angles_deg(self) -> NDArray[np.float64]:
        """(J,) angle in [0, 360) of the bone that ends in each joint; 0 where it has no length."""
        return np.where(self.bone_lengths > 0.0, angle_from_up_deg(self.bones_rig), 0.0)

    @cached_property
    def descent(self) -> NDArray[np.float64]:
        """(J, J) float64: row j holds 1 for j and its ancestors, so descent @ bones are positions."""
        matrix = np.eye(len(self.names))
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                matrix[joint] += matrix[parent]
        return matrix

    def index(self, name: str) -> int:
        """Index of a joint by its name; ValueError for one that the skeleton lacks."""
        return self.names.index(name)


def rig_skeleton(skeleton: CharacterSkeleton, texture_size: tuple[int, int]) -> RigSkeleton:
    """Take a character's joints from texture pixels to the rig frame.

    texture_size : (H, W) pixels.
    Raises ValueError for an empty texture, joints that are not finite, or a parent after its child.
    """
    height, width = texture_size
    if min(height, width) < 1:
        raise ValueError(f"expected a texture of at least 1x1, got {width}x{height}")
    joints_px = np.asarray(skeleton.joints_px, dtype=np.float64)
    n_joints = len(skeleton.names)
    if joints_px.shape != (n_joints, 2) or not np.isfinite(joints_px).all():
        raise ValueError(f"expected finite joints of shape {(n_joints, 2)}, got {joints_px!r}")
    parents = np.asarray(skeleton.parents, dtype=np.int64)
    if parents.shape != (n_joints,) or parents[0] != -1 or (parents >= np.arange(n_joints)).any():
        raise ValueError(f"expected a root (-1) first and parents before children, got {parents.tolist()}")
    joints_rig = np.array([0.0, height]) + np.array([1.0, -1.0]) * joints_px
    return RigSkeleton(skeleton.names, parents, joints_rig / max(height, width))


def angle_from_up_deg(vectors: ArrayLike) -> NDArray[np.float64]:
    """Angles (...) in [0, 360) of vectors (..., 2) x, y: counter-clockwise from +y."""
    vectors = np.asarray(vectors, dtype=np.float64)
    angles = np.degrees(np.arctan2(-vectors[..., 0], vectors[..., 1])) % 360.0
    return np.where(angles < 360.0, angles, 0.0)  # a tiny negative angle rounds up to 360


def fk(skeleton: RigSkeleton, turns_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pose the skeleton: every bone keeps its length and turns by its own angle in the plane.

    turns_deg : (N, J) turn of the bone that ends in each joint, against its rest direction, not against its
        parent's.
    Returns (N, J, 2) joints relative to the root, rig units.
    """
    if turns_deg.ndim != 2 or turns_deg.shape[1] != len(skeleton.names):
        raise ValueError(f"turns: want (N, {len(skeleton.names)}), got {turns_deg.shape}")
    turns = np.radians(turns_deg)
    cos, sin = np.cos(turns), np.sin(turns)
    x, y = skeleton.bones_rig.T
    bones = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    joints: NDArray[np.float64] = skeleton.descent @ bones
    return joints
