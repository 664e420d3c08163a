"""When frames are shown: GIF time is whole centiseconds, a clip's is not."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

_SHORTEST_GIF_DELAY_CS = 2
"""Browsers show frames with a shorter delay for ten centiseconds."""


@dataclass(frozen=True)
class Timing:
    """Which frames of a clip are shown, and for how long.

    frames : (n,) int64 indices into the clip, ascending.
    delays_cs : (n,) int64, centiseconds.
    """

    frames: NDArray[np.int64]
    delays_cs: NDArray[np.int64]

    @property
    def duration(self) -> float:
        """Seconds in all."""
        return float(self.delays_cs.sum()) / 100.0


def choose_frames(n_frames: int, frame_time: float, max_fps: float, max_frames: int | None = None) -> Timing:
    """Choose the frames of a clip to show so that a GIF can keep its time.

    n_frames : frames of the clip. frame_time : seconds each lasts. max_fps : no more frames a second than
    that.
    max_frames : no more frames in all than that.

    Frames are taken at equal steps. Each is shown until the next is due, rounded to the centisecond, so that
    errors never add up and the total is the clip's to the nearest centisecond; but two at least, the shortest
    delay that browsers honour. Raises ValueError unless all numbers are positive.
    """
    most = n_frames if max_frames is None else max_frames
    if min(n_frames, most) < 1 or not min(frame_time, max_fps) > 0:
        raise ValueError(
            f"want positive numbers; got {n_frames} frames of {frame_time} s, "
            f"{max_fps} a second and {most} in all at most"
        )
    total_cs = max(round(n_frames * frame_time * 100.0), _SHORTEST_GIF_DELAY_CS)
    # mocap's 1/30 s is written 0.0333333 or 0.03333: the rate is not halved over that
    shortest = (1.0 - 1e-2) * max(1.0 / max_fps, _SHORTEST_GIF_DELAY_CS / 100.0)
    step = max(1, ceil(shortest / frame_time))
    n_shown = min(ceil(n_frames / step), most, total_cs // _SHORTEST_GIF_DELAY_CS)
    stride = step if n_shown == ceil(n_frames / step) else n_frames / n_shown
    at = np.arange(n_shown, dtype=np.float64) * stride
    due = np.rint(at * frame_time * 100.0).astype(np.int64)
    # the last step may be a short one: its frame is due no later than leaves it the shortest delay
    due = np.minimum(due, total_cs - _SHORTEST_GIF_DELAY_CS * np.arange(n_shown, 0, -1))
    return Timing(at.astype(np.int64), np.diff(np.append(due, total_cs)))
