"""Looking a clip over for what goes wrong in capture and export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip
from bvh_tools.info import guess_unit, guess_up
from bvh_tools.kinematics import end_site_positions, fk
from bvh_tools.loop import up_vector

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Tolerances:
    """From where on something is reported.

    turn_deg_per_s : a joint that turns faster has flipped; a pitcher's arm, the fastest there is, does 9000.
    jump_heights_per_s : a root that moves faster has jumped; in figure heights, a sprinter does 6.
    outlier : a step this many times the median of the steps around it is a jump, if it is not slow.
    contact_height : a foot lower than this above its lowest stand is on the ground, in figure heights.
    slide_heights_per_s : a foot on the ground that moves faster slides.
    slide_share : share of its time on the ground that a foot may slide.
    fps : frame rates outside are unlikely to be meant.
    """

    turn_deg_per_s: float = 3000.0
    jump_heights_per_s: float = 10.0
    outlier: float = 8.0
    contact_height: float = 0.02
    slide_heights_per_s: float = 0.25
    slide_share: float = 0.25
    fps: tuple[float, float] = (5.0, 480.0)


@dataclass(frozen=True)
class Finding:
    """Something about a clip worth a look.

    frame : index of the frame where it is or begins, None for the whole clip.
    joint : joint name, None for all.
    """

    level: Level
    code: str
    message: str
    frame: int | None = None
    joint: str | None = None

    def __str__(self) -> str:
        place = [f"frame {self.frame}" if self.frame is not None else "", self.joint or ""]
        where = ", ".join(part for part in place if part)
        return f"{self.level}: {self.code}: {where + ': ' if where else ''}{self.message}"


def check(clip: Clip, tolerances: Tolerances | None = None) -> list[Finding]:
    """Look a clip over. Errors make it unusable, warnings will be seen, notes are good to know."""
    limits = tolerances or Tolerances()
    broken = list(_non_finite(clip))
    if broken:
        return broken
    positions = fk(clip)
    up = up_vector(guess_up(clip))
    points = np.concatenate([positions, *(p[:, None] for p in end_site_positions(clip).values())], axis=1)
    height = float(np.ptp(points[0] @ up))
    return [
        *_frame_rate(clip, limits),
        *_scale(height),
        *_flips(clip, limits),
        *_jumps(clip, height, limits),
        *_sliding(clip, positions, up, height, limits),
    ]


def _non_finite(clip: Clip) -> Iterator[Finding]:
    finite = np.isfinite(clip.translations).all(axis=2) & np.isfinite(clip.rotations).all(axis=2)
    if not finite.all():
        frame, joint = np.argwhere(~finite)[0].tolist()
        yield Finding("error", "non-finite", "NaN or infinity", frame, clip.skeleton.names[joint])
    lengths = np.linalg.norm(clip.rotations, axis=2)
    if finite.all() and np.abs(lengths - 1.0).max() > 1e-6:
        frame, joint = np.argwhere(np.abs(lengths - 1.0) > 1e-6)[0].tolist()
        yield Finding("error", "not-unit", "a quaternion not of length 1", frame, clip.skeleton.names[joint])
    if not (np.isfinite(clip.frame_time) and clip.frame_time > 0.0):
        yield Finding("error", "frame-time", f"expected seconds above 0, got {clip.frame_time}")


def _frame_rate(clip: Clip, limits: Tolerances) -> Iterator[Finding]:
    fps = 1.0 / clip.frame_time
    low, high = limits.fps
    if not low <= fps <= high:
        yield Finding(
            "warning", "frame-rate", f"{fps:g} fps; expected {low:g} to {high:g}. Is Frame Time in seconds?"
        )


def _scale(height: float) -> Iterator[Finding]:
    unit = guess_unit(height)
    if unit is None:
        yield Finding("note", "scale", f"{height:g} units high, a person's height in no common unit")
    else:
        yield Finding("note", "scale", f"{height:g} units high; a unit seems to be 1 {unit}")


def _flips(clip: Clip, limits: Tolerances) -> Iterator[Finding]:
    turned = np.degrees(quat.angle_between(clip.rotations[:-1], clip.rotations[1:]))
    fast = _outliers(turned, limits.turn_deg_per_s * clip.frame_time, limits.outlier)
    for frame, joint in np.argwhere(fast).tolist():
        message = f"turns {turned[frame, joint]:.0f} degrees within a frame"
        yield Finding("warning", "flip", message, frame + 1, clip.skeleton.names[joint])


def _jumps(clip: Clip, height: float, limits: Tolerances) -> Iterator[Finding]:
    moved = np.linalg.norm(np.diff(clip.translations[:, :1], axis=0), axis=2)
    fast = _outliers(moved, limits.jump_heights_per_s * height * clip.frame_time, limits.outlier)
    for frame, _ in np.argwhere(fast).tolist():
        message = f"the figure moves {moved[frame, 0]:g} units within a frame"
        yield Finding("warning", "jump", message, frame + 1, clip.skeleton.names[0])


def _outliers(steps: NDArray[np.float64], limit: float, ratio: float) -> NDArray[np.bool_]:
    """Steps (N-1, J) above a limit that also stand out from those around them, two before and two after."""
    if len(steps) < 2:
        return steps > limit
    padded = np.pad(steps, ((2, 2), (0, 0)), mode="reflect" if len(steps) > 2 else "edge")
    around = np.stack([padded[k : k + len(steps)] for k in (0, 1, 3, 4)])
    outliers: NDArray[np.bool_] = (steps > limit) & (steps > ratio * np.median(around, axis=0))
    return outliers


def _sliding(
    clip: Clip,
    positions: NDArray[np.float64],
    up: NDArray[np.float64],
    height: float,
    limits: Tolerances,
) -> Iterator[Finding]:
    if clip.n_frames < 2 or height <= 0.0:
        return
    for joint, name in enumerate(clip.skeleton.names):
        if not any(word in name.lower() for word in ("foot", "ankle")):
            continue
        above = positions[:, joint] @ up
        down = above < above.min() + limits.contact_height * height
        across = positions[:, joint] - np.outer(above, up)
        speed = np.linalg.norm(np.diff(across, axis=0), axis=1) / (clip.frame_time * height)
        standing = down[:-1] & down[1:]
        sliding = standing & (speed > limits.slide_heights_per_s)
        if sliding.sum() > max(1.0, limits.slide_share * standing.sum()):
            share = 100.0 * sliding.sum() / standing.sum()
            message = f"slides for {share:.0f} % of the time it is on the ground; a walk on the spot does too"
            yield Finding("note", "foot-sliding", message, int(np.argmax(sliding)), name)
