"""What retargeting yields: a rig in motion, ready to be deformed and drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RigMotion:
    """A character's rig through a clip. World frame: x right, y up, z toward the viewer; one unit is the
    larger side of the character's texture.

    joint_names : J names, in the order of the character's skeleton.
    joints_xyz : (N, J, 3) float64, posed joints.
    root_xyz : (N, 3) float64, the root; joints minus root is the figure in place.
    draw_order : (N, J) int64, joints from back to front; the body part of a joint is the bone to its parent.
    frame_time : seconds each frame is shown.
    loops : whether the last frame leads back into the first.
    """

    joint_names: tuple[str, ...]
    joints_xyz: NDArray[np.float64]
    root_xyz: NDArray[np.float64]
    draw_order: NDArray[np.int64]
    frame_time: float
    loops: bool

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.joints_xyz)
