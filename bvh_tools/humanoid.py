"""The figure that key poses are authored on, and the solvers that pose it.

A standing person 178 cm tall in a T-pose, Y up, facing +Z, its left at +X; lengths are centimetres. The
joints are named as in AnimatedDrawings' FAIR skeleton, so retarget files for that one apply.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Skeleton

Array = NDArray[np.float64]
Offset = tuple[float, float, float]

SPINE = ("Spine", "Spine1", "Spine2", "Spine3")
SIDES = ("Left", "Right")
LEG_JOINTS = ("UpLeg", "Leg", "Foot", "ToeBase")
ARM_JOINTS = ("Arm", "ForeArm", "Hand")  # those whose bone can be aimed

_TRUNK: tuple[tuple[str, str | None, Offset], ...] = (
    ("Hips", None, (0.0, 0.0, 0.0)),
    ("Spine", "Hips", (0.0, 8.0, 0.0)),
    ("Spine1", "Spine", (0.0, 8.0, 0.0)),
    ("Spine2", "Spine1", (0.0, 8.0, 0.0)),
    ("Spine3", "Spine2", (0.0, 8.0, 0.0)),
    ("Neck", "Spine3", (0.0, 22.0, 0.0)),
    ("Head", "Neck", (0.0, 9.0, 0.0)),
)
# The left side; the right one is its mirror image.
_ARM: tuple[tuple[str, str, Offset], ...] = (
    ("Shoulder", "Spine3", (3.0, 15.0, 0.0)),
    ("Arm", "Shoulder", (14.0, 0.0, 0.0)),
    ("ForeArm", "Arm", (28.0, 0.0, 0.0)),
    ("Hand", "ForeArm", (25.0, 0.0, 0.0)),
    ("HandEnd", "Hand", (9.0, 0.0, 0.0)),
)
_LEG: tuple[tuple[str, str, Offset], ...] = (
    ("UpLeg", "Hips", (9.0, -3.0, 0.0)),
    ("Leg", "UpLeg", (0.0, -42.0, 0.0)),
    ("Foot", "Leg", (0.0, -42.0, 0.0)),
    ("ToeBase", "Foot", (0.0, -6.0, 13.0)),
)
_END_SITES: dict[str, Offset] = {
    "Head": (0.0, 20.0, 0.0),
    "LeftHandEnd": (8.0, 0.0, 0.0),
    "RightHandEnd": (-8.0, 0.0, 0.0),
    "LeftToeBase": (0.0, 0.0, 6.0),
    "RightToeBase": (0.0, 0.0, 6.0),
}
_TURNS = ("Zrotation", "Xrotation", "Yrotation")
_PARALLEL = 1e-9  # squared sine below which two directions count as opposite or equal


def skeleton() -> Skeleton:
    """The authoring figure's skeleton."""
    rows: list[tuple[str, str | None, Offset]] = list(_TRUNK)
    for limb in (_ARM, _LEG):
        for side in ("Right", "Left"):
            mirror = 1.0 if side == "Left" else -1.0
            for name, parent, (x, y, z) in limb:
                sided = parent if parent in {"Hips", *SPINE} else side + parent
                rows.append((side + name, sided, (mirror * x, y, z)))
    names = tuple(name for name, _, _ in rows)
    return Skeleton(
        names=names,
        parents=np.array([-1 if p is None else names.index(p) for _, p, _ in rows], dtype=np.int64),
        offsets=np.array([offset for _, _, offset in rows], dtype=np.float64),
        channels=tuple(
            ("Xposition", "Yposition", "Zposition", *_TURNS) if p is None else _TURNS for _, p, _ in rows
        ),
        end_sites={names.index(name): offset for name, offset in _END_SITES.items()},
    )


def aim(rest: ArrayLike, target: ArrayLike) -> Array:
    """The smallest rotation (..., 4) that turns directions `rest` (..., 3) into `target` (..., 3).

    Lengths do not matter. Between opposite directions any axis across them will do, and one is taken.
    """
    a, b = np.broadcast_arrays(np.asarray(rest, dtype=np.float64), np.asarray(target, dtype=np.float64))
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    cross = np.cross(a, b)
    cos = np.sum(a * b, axis=-1, keepdims=True)
    opposite = (cos < 0.0) & (np.sum(cross * cross, axis=-1, keepdims=True) < _PARALLEL)
    least = np.eye(3)[np.argmin(np.abs(a), axis=-1)]
    half_turn = np.concatenate([np.zeros_like(cos), np.cross(a, least)], axis=-1)
    return quat.normalize(np.where(opposite, half_turn, np.concatenate([1.0 + cos, cross], axis=-1)))


def bend(hip: Array, ankle: Array, pole: Array, thigh: float, shin: float) -> tuple[Array, Array]:
    """Two-bone inverse kinematics: where the knee and the ankle go.

    hip, ankle : (N, 3), from where the leg starts and where it should end; an ankle out of reach is drawn
        in along the line to the hip.
    pole : (N, 3) direction in which the knee points; its part along the leg is ignored.
    Returns knee and ankle positions, each (N, 3).
    """
    line = ankle - hip
    wanted = np.linalg.norm(line, axis=-1, keepdims=True)
    line = line / np.maximum(wanted, 1e-9)
    reach = np.clip(wanted, abs(thigh - shin) + 1e-6, (thigh + shin) * (1.0 - 1e-6))
    across = pole - np.sum(pole * line, axis=-1, keepdims=True) * line
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    along = (thigh**2 - shin**2 + reach**2) / (2.0 * reach)
    height = np.sqrt(np.maximum(thigh**2 - along**2, 0.0))
    knee: Array = hip + along * line + height * across
    reached: Array = hip + reach * line
    return knee, reached
