"""Other frame counts for the same motion over the same time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import MAX_POSES, Clip
from bvh_tools.errors import BvhError


def resample(clip: Clip, frames: int, *, loops: bool = False) -> Clip:
    """The same motion in `frames` frames; the duration stays, so the frame time changes.

    Each frame shows the pose that stood there at its time.
    loops : False holds the last pose for its frame time, True lets it lead on to the first.
    Rotations are interpolated along the shorter arc, translations linearly. Raises BvhError for less than one
    frame and for more than MAX_POSES.
    """
    if frames < 1:
        raise BvhError(f"expected at least 1 frame, got {frames}")
    if frames * clip.skeleton.n_joints > MAX_POSES:
        raise BvhError(
            f"expected at most {MAX_POSES} frames times joints, "
            f"got {frames} frames of {clip.skeleton.n_joints} joints"
        )
    if frames == clip.n_frames:
        return clip
    n = clip.n_frames
    at = np.arange(frames) * n / frames
    return replace(sample(clip, at if loops else np.minimum(at, n - 1)), frame_time=clip.duration / frames)


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
