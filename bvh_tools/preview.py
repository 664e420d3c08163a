"""Stick figures of a clip, to look at: a sheet of frames, or a moving GIF."""

from __future__ import annotations

import io
import struct
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bvh_tools.clip import Clip
from bvh_tools.convert import change_up
from bvh_tools.errors import BvhError
from bvh_tools.kinematics import end_site_positions, fk

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]
View = Literal["front", "side"]

_BACKGROUND = (255, 255, 255)
_GROUND = (215, 215, 215)
_LABEL = (120, 120, 120)
_LEFT, _RIGHT, _MIDDLE = (36, 110, 200), (214, 84, 60), (60, 60, 60)
_MARGIN = 0.08  # of the cell, on every side
_SHIFT = 4  # OpenCV's fixed-point bits: 1/16 of a pixel


def draw_frames(
    clip: Clip, frames: list[int], size: int = 160, view: View = "front", up: str = "+y"
) -> list[Picture]:
    """Draw stick figures of some frames, all to one scale.

    frames : frame indices.  size : side of each square picture, pixels.
    view : "front" looks along -z at a figure facing +z, "side" along +x, so that forward is to the right.
    up : the clip's up axis.
    Returns RGB pictures (size, size, 3) uint8. Left limbs are blue, right ones red.
    """
    upright = change_up(clip, up, "+y")
    points, bones, colours = _stick_figure(upright)
    flat = points[..., [0, 1]] if view == "front" else points[..., [2, 1]]
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    scale = size * (1.0 - 2.0 * _MARGIN) / max(float((high - low).max()), 1e-9)
    middle = (low[0] + high[0]) / 2.0
    columns = size / 2.0 + (flat[..., 0] - middle) * scale
    rows = size * (1.0 - _MARGIN) - (flat[..., 1] - low[1]) * scale
    pixels = np.round(np.stack([columns, rows], axis=-1) * (1 << _SHIFT)).astype(np.int64)
    ground = round(size * (1.0 - _MARGIN))
    pictures = []
    for frame in frames:
        picture: Picture = np.full((size, size, 3), _BACKGROUND, dtype=np.uint8)
        cv2.line(picture, (0, ground), (size, ground), _GROUND, 1)
        for (a, b), colour in zip(bones, colours, strict=True):
            start, stop = (tuple(int(v) for v in pixels[frame, i]) for i in (a, b))
            cv2.line(picture, start, stop, colour, max(1, size // 60), cv2.LINE_AA, _SHIFT)
        pictures.append(picture)
    return pictures


def sheet(
    clip: Clip, count: int = 12, columns: int = 6, size: int = 160, view: View = "front", up: str = "+y"
) -> Picture:
    """A sheet of `count` frames spread evenly over the clip, each with its number. RGB uint8."""
    count = min(count, clip.n_frames)
    frames = np.linspace(0, clip.n_frames, count, endpoint=False).astype(np.int64).tolist()
    cells = draw_frames(clip, frames, size, view, up)
    for frame, cell in zip(frames, cells, strict=True):
        cv2.putText(cell, str(frame), (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _LABEL, 1, cv2.LINE_AA)
    columns = min(columns, count)
    blank: Picture = np.full((size, size, 3), _BACKGROUND, dtype=np.uint8)
    cells += [blank] * (-count % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def encode_png(picture: Picture) -> bytes:
    """PNG file of an RGB picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def encode_gif(clip: Clip, size: int = 240, view: View = "front", up: str = "+y", fps: float = 25.0) -> bytes:
    """GIF of the moving figure, at most `fps` frames a second, as long as the clip to the centisecond.

    Raises BvhError for poses that stand longer than a GIF can say.
    """
    count = max(1, min(clip.n_frames, round(clip.duration * fps)))
    frames = (np.arange(count) * clip.n_frames / count).astype(np.int64).tolist()
    ends = np.round(np.arange(count + 1) * clip.duration * 100.0 / count).astype(np.int64)
    pictures = [Image.fromarray(cell) for cell in draw_frames(clip, frames, size, view, up)]
    buffer = io.BytesIO()
    try:
        pictures[0].save(
            buffer,
            "GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=[int(d) * 10 for d in np.maximum(np.diff(ends), 1)],
            loop=0,
        )
    except (OverflowError, struct.error) as error:  # Pillow adds up the delays of equal pictures
        raise BvhError(
            "expected no pose to stand for more than 655.35 s, which is all a GIF can say; "
            f"frames come every {clip.frame_time:g} s. Is Frame Time in seconds?"
        ) from error
    return buffer.getvalue()


def _stick_figure(clip: Clip) -> tuple[Array, list[tuple[int, int]], list[tuple[int, int, int]]]:
    """Points (N, P, 3) of joints and End Sites, bones as pairs of points, and a colour for each bone."""
    points = [fk(clip)]
    bones = [(int(parent), joint) for joint, parent in enumerate(clip.skeleton.parents) if parent >= 0]
    owners = [joint for _, joint in bones]
    for extra, (joint, positions) in enumerate(end_site_positions(clip).items()):
        points.append(positions[:, None])
        bones.append((joint, clip.skeleton.n_joints + extra))
        owners.append(joint)
    return np.concatenate(points, axis=1), bones, [_colour(clip.skeleton.names[joint]) for joint in owners]


def _colour(name: str) -> tuple[int, int, int]:
    lowered = name.lower()
    if "left" in lowered or lowered.startswith(("l_", "l.", "lf")):
        return _LEFT
    if "right" in lowered or lowered.startswith(("r_", "r.", "rf")):
        return _RIGHT
    return _MIDDLE
