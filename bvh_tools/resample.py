"""Other frame counts for the same motion over the same time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError


def resample(clip: Clip, frames: int, *, loops: bool = False) -> Clip:
    """The same motion in `frames` frames; the duration stays, so the frame time changes.

    loops : False keeps the first and the last pose and spreads the rest evenly between them. True takes the
        clip as a cycle whose last frame leads to its first, and samples that cycle evenly.
    Rotations are interpolated along the shorter arc, translations linearly. Raises BvhError if frames < 1.
    """
    if frames < 1:
        raise BvhError(f"expected at least 1 frame, got {frames}")
    if frames == clip.n_frames:
        return clip
    n = clip.n_frames
    last = n - n / frames if loops else n - 1.0
    at = np.linspace(0.0, last, frames, dtype=np.float64)
    return replace(sample(clip, at), frame_time=clip.duration / frames)


def sample(clip: Clip, at: NDArray[np.float64]) -> Clip:
    """The poses at fractional frame indices `at` (M,), each from 0 to below N; frame N is frame 0.

    The frame time is left as it is.
    """
    before = np.floor(at).astype(np.int64)
    share = at - before
    after = (before + 1) % clip.n_frames
    weight = share[:, None, None]
    return replace(
        clip,
        translations=(1.0 - weight) * clip.translations[before] + weight * clip.translations[after],
        rotations=quat.unroll(quat.slerp(clip.rotations[before], clip.rotations[after], share[:, None])),
    )
