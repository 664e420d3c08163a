"""A motion clip as flat arrays: the value every function of this package takes and returns.

Conventions: rotations are unit quaternions in w, x, y, z order, local to the parent; lengths are in the
file's own unit; N frames, J joints. Joint 0 is the root, `parents[0]` is -1, and a parent always stands
before its children.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_POSES = 10_000_000
"""Most frames times joints of a clip. Joints may have no channels, so a file's size does not bound them."""

FRAME_TIMES = (1e-9, 1e3)
"""Least and most seconds between frames: sums and rates are finite, and what shows them has an end."""


@dataclass(frozen=True)
class Skeleton:
    """The hierarchy of a BVH file.

    names : J joint names, depth first, as in the file.
    parents : (J,) int64, index of the parent, -1 for the root.
    offsets : (J, 3) float64, rest offset from the parent.
    channels : J tuples of channel names ("Xposition" ... "Zrotation") in file order.
    end_sites : index of a leaf joint -> (3,) offset of its End Site, for those that have one.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    offsets: NDArray[np.float64]
    channels: tuple[tuple[str, ...], ...]
    end_sites: dict[int, tuple[float, float, float]]

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.names)


@dataclass(frozen=True)
class Clip:
    """A skeleton in motion.

    translations : (N, J, 3) float64, local translation of each joint: its offset, or its position channels.
    rotations : (N, J, 4) float64, local unit quaternions, wxyz.
    frame_time : seconds between frames, > 0.
    """

    skeleton: Skeleton
    translations: NDArray[np.float64]
    rotations: NDArray[np.float64]
    frame_time: float

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.rotations)

    @property
    def duration(self) -> float:
        """Seconds the clip lasts: every frame is shown for one frame time."""
        return self.n_frames * self.frame_time
