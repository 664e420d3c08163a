"""A stretch of a clip."""

from __future__ import annotations

from dataclasses import replace

from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError
from bvh_tools.loop import is_loop
from bvh_tools.resample import resample


def trim(clip: Clip, start: int | None = None, end: int | None = None, frames: int | None = None) -> Clip:
    """Keep frames `start` up to but without `end`, then resample them to `frames` frames.

    start, end : frame indices as in a slice; negative ones count from the end, None means all the way.
    frames : number of frames to return over the time that is kept, which still loops if it did; None keeps
        them as they are.
    Raises BvhError if nothing is left or an index lies outside the clip.
    """
    n = clip.n_frames
    first = _index(start, n, default=0, name="start")
    last = _index(end, n, default=n, name="end")
    if first >= last:
        raise BvhError(f"expected start before end, got frames {first} up to {last} of {n}")
    kept = replace(
        clip, translations=clip.translations[first:last].copy(), rotations=clip.rotations[first:last].copy()
    )
    return kept if frames is None else resample(kept, frames, loops=is_loop(kept))


def _index(value: int | None, n: int, *, default: int, name: str) -> int:
    if value is None:
        return default
    index = value + n if value < 0 else value
    if not 0 <= index <= n:
        raise BvhError(f"expected {name} within the clip's {n} frames, got {value}")
    return index
