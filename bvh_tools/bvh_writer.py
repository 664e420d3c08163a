"""From a clip to a BVH file's text."""

from __future__ import annotations

import re

import numpy as np

from bvh_tools.bvh_parser import BRACES
from bvh_tools.channels import to_channels
from bvh_tools.clip import FRAME_TIMES, Clip, Skeleton
from bvh_tools.errors import BvhError

_NOT_IN_NAMES = re.compile(r"[\t\r\n\ud800-\udfff]")  # lone surrogates cannot be written as UTF-8


def format_bvh(clip: Clip) -> str:
    """The text of a BVH file: six decimals, tabs, Unix line ends. `parse_bvh` reads the same clip back.

    Raises BvhError for a clip that moves in a way its channels cannot say, holds non-finite numbers, or has
    joint names that would not read back.
    """
    if not (np.isfinite(clip.translations).all() and np.isfinite(clip.rotations).all()):
        raise BvhError("expected finite translations and rotations, got NaN or infinity")
    if clip.n_frames < 1 or not FRAME_TIMES[0] <= clip.frame_time <= FRAME_TIMES[1]:
        raise BvhError(
            "expected at least one frame and a frame time above 0 seconds, "
            f"of {FRAME_TIMES[0]} to {FRAME_TIMES[1]:g}, got {clip.n_frames} frames of {clip.frame_time} s"
        )
    for name in clip.skeleton.names:
        if not name or name != name.strip() or _NOT_IN_NAMES.search(name) or BRACES.search(name):
            raise BvhError(
                "expected a joint name without line breaks, tabs, blanks at its ends and braces, "
                f"got {name!r}"
            )
    values = to_channels(clip)
    rows = [" ".join(map(_decimal, row)) for row in values.tolist()]
    head = ["MOTION", f"Frames: {clip.n_frames}", f"Frame Time: {clip.frame_time!r}"]
    return "\n".join(["HIERARCHY", *_format_hierarchy(clip.skeleton), *head, *rows]) + "\n"


def _decimal(value: float) -> str:
    text = f"{value:.6f}"
    return "0.000000" if text == "-0.000000" else text


def _format_hierarchy(skeleton: Skeleton) -> list[str]:
    lines: list[str] = []
    path: list[int] = []
    for joint, parent in enumerate(skeleton.parents):
        while path and path[-1] != parent:
            path.pop()
            lines.append("\t" * len(path) + "}")
        tabs = "\t" * len(path)
        channels = skeleton.channels[joint]
        lines += [
            f"{tabs}{'JOINT' if path else 'ROOT'} {skeleton.names[joint]}",
            f"{tabs}{{",
            f"{tabs}\tOFFSET {' '.join(map(_decimal, skeleton.offsets[joint].tolist()))}",
            f"{tabs}\t{' '.join(['CHANNELS', str(len(channels)), *channels])}",
        ]
        path.append(joint)
        if joint in skeleton.end_sites:
            offset = " ".join(map(_decimal, skeleton.end_sites[joint]))
            lines += [f"{tabs}\tEnd Site", f"{tabs}\t{{", f"{tabs}\t\tOFFSET {offset}", f"{tabs}\t}}"]
    lines += ["\t" * depth + "}" for depth in range(len(path) - 1, -1, -1)]
    return lines
