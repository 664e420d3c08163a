"""One time line for motions of different length and frame rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from animation_server.encode.timing import Timing, choose_frames
from animation_server.motion.rig_motion import RigMotion


def share_time(
    motions: Sequence[RigMotion], max_fps: float, max_frames: int | None = None, speed: float = 1.0
) -> tuple[Timing, list[NDArray[np.int64]]]:
    """When frames are shown, and which frames (n,) of each motion those are.

    The time line is the first motion's: its frames, until the longest motion ends. A motion that is over
    before starts again if it loops, else its last frame stands.
    max_fps, max_frames : as for `choose_frames`. speed : the time all takes is divided by it.
    """
    frame_time = motions[0].frame_time
    longest = max(motion.n_frames * motion.frame_time for motion in motions)
    timing = choose_frames(max(1, round(longest / frame_time)), frame_time / speed, max_fps, max_frames)
    times_s = timing.frames.astype(np.float64) * frame_time
    return timing, [_frames_due(motion, times_s) for motion in motions]


def _frames_due(motion: RigMotion, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    frames = np.rint(times_s / motion.frame_time).astype(np.int64)
    return frames % motion.n_frames if motion.loops else np.minimum(frames, motion.n_frames - 1)
