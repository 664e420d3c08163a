"""Making a clip lead from its last frame into its first.

The tail is blended into the head: the frames that would have followed the new end fade into the frames
that open the clip, so the step over the seam is one that the clip itself makes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError

UP_AXES = {
    "+x": (1, 0, 0),
    "-x": (-1, 0, 0),
    "+y": (0, 1, 0),
    "-y": (0, -1, 0),
    "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}
_LOOP_SEAM = 1.5  # a seam this much larger than any step within the clip still passes for a loop
_SWING_COS = 0.1  # of half a swing's angle; below, a wobble of a degree would turn a figure by ten


def loop(clip: Clip, blend: int | None = None, *, in_place: bool = False, up: str = "+y") -> Clip:
    """Shorten a clip by `blend` frames and make it loop.

    blend : frames of the tail to blend into the head, 1 to half the clip; None takes a fifth of the clip,
        half a second at most.
    in_place : False takes the path's drift out evenly, so that the figure ends where it set out and keeps its
        sway; True holds the root over one spot. Height is kept either way.
    up : the clip's up axis, "+y" or "+z" mostly; the path lies in the plane across it.
    Raises BvhError for a clip too short for the blend.
    """
    if blend is None:
        blend = max(1, min(round(0.5 / clip.frame_time), clip.n_frames // 5))
    if not 1 <= blend <= clip.n_frames // 2:
        raise BvhError(f"expected a blend of 1 to {clip.n_frames // 2} frames, half the clip, got {blend}")
    axis = up_vector(up)
    length = clip.n_frames - blend
    still = _remove_drift(clip, length, axis)
    if in_place:
        still = _hold_root(still, axis)
    # At the first frame the tail has all the weight, so the seam is a step of the old clip.
    weight = np.arange(blend) / blend
    weight = weight * weight * (3.0 - 2.0 * weight)
    translations = still.translations[:length].copy()
    rotations = still.rotations[:length].copy()
    w = weight[:, None, None]
    translations[:blend] = (1.0 - w) * still.translations[length:] + w * translations[:blend]
    rotations[:blend] = quat.slerp(still.rotations[length:], rotations[:blend], weight[:, None])
    return replace(clip, translations=translations, rotations=quat.unroll(rotations))


def up_vector(up: str) -> NDArray[np.float64]:
    """Unit vector (3,) of an axis name such as "+y"."""
    if up.lower() not in UP_AXES:
        raise BvhError(f"expected an axis out of {', '.join(UP_AXES)}, got {up!r}")
    return np.array(UP_AXES[up.lower()], dtype=np.float64)


def seam(clip: Clip) -> tuple[float, float]:
    """How the step from the last frame to the first compares with the largest step within the clip.

    Returns (of the root's translation, of any joint's rotation), as ratios: 1 or less means no jump.
    """
    moved = np.linalg.norm(np.diff(clip.translations[:, 0], axis=0, append=clip.translations[:1, 0]), axis=-1)
    turned = quat.angle_between(clip.rotations, np.roll(clip.rotations, -1, axis=0)).max(axis=1)
    return _last_to_rest(moved), _last_to_rest(turned)


def is_loop(clip: Clip) -> bool:
    """Whether the step from the last frame to the first is like those within the clip."""
    return clip.n_frames > 2 and max(seam(clip)) <= _LOOP_SEAM


def _last_to_rest(steps: NDArray[np.float64]) -> float:
    last, rest = float(steps[-1]), float(steps[:-1].max(initial=0.0))
    if last <= 1e-9:
        return 0.0
    return last / rest if rest > 0.0 else float("inf")


def _turned(a: NDArray[np.float64], b: NDArray[np.float64], up: NDArray[np.float64]) -> float:
    """Angle in radians, within +-pi, about `up` that brings rotation a (4,) nearest to b (4,).

    It is the twist of what leads from a to b, taken apart into swing and twist, and 0 if that is nearly half
    a turn across `up`, of which no turn about `up` is a part.
    """
    way = quat.mul(b, quat.inverse(a))
    cos, sin = way[0], way[1:] @ up
    if np.hypot(cos, sin) < _SWING_COS:
        return 0.0
    sign = -1.0 if cos < 0.0 else 1.0  # both signs are the same rotation
    return 2.0 * float(np.arctan2(sign * sin, sign * cos))


def _remove_drift(clip: Clip, length: int, up: NDArray[np.float64]) -> Clip:
    """Undo, evenly over time, how far the root has turned and gone at frame `length`."""
    translations, rotations = clip.translations.copy(), clip.rotations.copy()
    share = np.arange(clip.n_frames) / length
    turned = _turned(rotations[0, 0], rotations[length, 0], up)  # full turns come round by themselves
    back = quat.from_axis_angle(np.broadcast_to(up, (clip.n_frames, 3)), -turned * share)
    rotations[:, 0] = quat.mul(back, rotations[:, 0])
    steps = np.diff(translations[:, 0], axis=0)
    path = np.concatenate([translations[:1, 0], quat.mul_vec(back[:-1], steps)]).cumsum(axis=0)
    gone = path[length] - path[0]
    path -= share[:, None] * (gone - up * (gone @ up))
    translations[:, 0] = path
    return replace(clip, translations=translations, rotations=rotations)


def _hold_root(clip: Clip, up: NDArray[np.float64]) -> Clip:
    translations = clip.translations.copy()
    root = translations[:, 0]
    translations[:, 0] = root[0] + np.outer((root - root[0]) @ up, up)
    return replace(clip, translations=translations)
