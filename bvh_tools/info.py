"""What a clip is: a summary to read or to hand on as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.kinematics import end_site_positions, fk
from bvh_tools.loop import is_loop, up_vector

# Person-sized heights in metres, with room for children and giants: what a unit is guessed from.
_PERSON_M = (0.9, 2.6)
_GROUND_MOVES = 0.25  # of the way from feet to head; the ground under a figure that stands keeps its height
_UNITS = {"m": 1.0, "dm": 0.1, "in": 0.0254, "cm": 0.01, "mm": 0.001}


@dataclass(frozen=True)
class ClipInfo:
    """A summary of a clip. Lengths are in the file's unit.

    up : axis the figure stands along in its first frames, such as "+y".
    height : extent along it in the first frame, End Sites included.
    unit : what the height suggests that one unit is ("m", "dm", "in", "cm" or "mm"), None for nothing.
    travel : length of the root's path over the ground.
    loops : whether the step from the last frame to the first is like those within the clip.
    """

    n_frames: int
    frame_time: float
    fps: float
    duration: float
    n_joints: int
    n_end_sites: int
    n_channels: int
    rotation_orders: tuple[str, ...]
    up: str
    height: float
    unit: str | None
    travel: float
    loops: bool
    joints: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in self.__dict__.items()
        }


def describe(clip: Clip) -> ClipInfo:
    """Summarise a clip."""
    skeleton = clip.skeleton
    positions = _all_points(clip)
    up = guess_up(clip)
    axis = up_vector(up)
    along = positions[0] @ axis
    height = float(along.max() - along.min())
    root = clip.translations[:, 0]
    flat = root - np.outer(root @ axis, axis)
    return ClipInfo(
        n_frames=clip.n_frames,
        frame_time=clip.frame_time,
        fps=1.0 / clip.frame_time,
        duration=clip.duration,
        n_joints=skeleton.n_joints,
        n_end_sites=len(skeleton.end_sites),
        n_channels=sum(len(channels) for channels in skeleton.channels),
        rotation_orders=_rotation_orders(skeleton),
        up=up,
        height=height,
        unit=guess_unit(height),
        travel=float(np.linalg.norm(np.diff(flat, axis=0), axis=1).sum()),
        loops=is_loop(clip),
        joints=skeleton.names,
    )


def guess_up(clip: Clip) -> str:
    """The axis a figure stands along: from feet to head on average, found by joint names, else the axis along
    which the root is farthest from zero.

    A figure that moves, feet and all, the way that its head points either climbs or crawls, swims or flies:
    there the bones decide as they are before any turn, mostly standing.
    """
    lowered = [name.lower() for name in clip.skeleton.names]
    heads = [i for i, name in enumerate(lowered) if "head" in name or "neck" in name]
    feet = [i for i, name in enumerate(lowered) if any(word in name for word in ("foot", "ankle", "toe"))]
    if not (heads and feet):
        return _nearest_axis(clip.translations[:, 0].mean(axis=0))  # roots stand above the ground at zero
    positions = fk(clip)
    rise = _rise(positions, heads, feet)
    up = _nearest_axis(rise)
    lowest = (positions @ up_vector(up)).min(axis=1)
    if abs(lowest[-1] - lowest[0]) > _GROUND_MOVES * np.linalg.norm(rise):
        unturned = replace(clip, rotations=quat.identity(*clip.rotations.shape[:2]))
        return _nearest_axis(_rise(fk(unturned), heads, feet))
    return up


def _rise(positions: NDArray[np.float64], heads: list[int], feet: list[int]) -> NDArray[np.float64]:
    """Mean way (3,) from feet to head, of positions (N, J, 3)."""
    rise: NDArray[np.float64] = (positions[:, heads].mean(axis=1) - positions[:, feet].mean(axis=1)).mean(
        axis=0
    )
    return rise


def _nearest_axis(direction: NDArray[np.float64]) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("-" if direction[axis] < 0.0 else "+") + "xyz"[axis]


def guess_unit(height: float) -> str | None:
    """The unit in which a person would be this high, the likelier ones first; None if there is none."""
    low, high = _PERSON_M
    return next((unit for unit, metres in _UNITS.items() if low <= height * metres <= high), None)


def _all_points(clip: Clip) -> NDArray[np.float64]:
    ends = [points[:, None] for points in end_site_positions(clip).values()]
    return np.concatenate([fk(clip), *ends], axis=1)


def _rotation_orders(skeleton: Skeleton) -> tuple[str, ...]:
    orders = ("".join(c[0] for c in joint if c.endswith("rotation")) for joint in skeleton.channels)
    return tuple(dict.fromkeys(order for order in orders if order))
