"""What makes a figure's working visible: its parts in colours, its mesh, its bones, drawn over the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.render.raster import unpack
from animation_server.render.scene import Actor, Drawn

MESH_COLOUR = (60, 60, 70)
BONE_COLOUR = (220, 30, 40)
JOINT_COLOUR = (20, 60, 200)

_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Overlay:
    """What is drawn over one figure.

    actor : the figure; nothing is drawn where it is not seen. parents : (J,) its joints' parents.
    joints : (N, J, 2) float64, joints in the picture.
    parts, mesh, bones : what to draw.
    """

    actor: Actor
    parents: NDArray[np.int64]
    joints: NDArray[np.float64]
    parts: bool = False
    mesh: bool = False
    bones: bool = False


def part_colours(n_parts: int) -> NDArray[np.uint8]:
    """A colour (n, 3) uint8 RGB for each body part, neighbours far apart in hue."""
    hues = (np.arange(n_parts) * 67 % 180).astype(np.uint8)
    hsv = np.stack((hues, np.full(n_parts, 130, np.uint8), np.full(n_parts, 235, np.uint8)), axis=1)
    return np.asarray(cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB), dtype=np.uint8)[0]


def draw_overlays(frames: Iterable[Drawn], overlays: Iterable[Overlay]) -> Iterator[Drawn]:
    """Draw over frames; the pictures that come in are left as they were."""
    overlays = tuple(overlays)
    for frame, (picture, _) in enumerate(frames):
        shown = picture.copy()
        canvas = unpack(shown)
        for overlay in overlays:
            if overlay.actor.is_seen[frame]:
                _draw(canvas, overlay, frame)
        yield shown, (0, 0, picture.shape[1], picture.shape[0])


def _draw(canvas: NDArray[np.uint8], overlay: Overlay, frame: int) -> None:
    puppet = overlay.actor.puppet
    vertices = _fixed(overlay.actor.vertices[frame])
    if overlay.parts:
        colours = part_colours(len(puppet.joint_names))
        for part in overlay.actor.draw_order[frame]:
            colour = _opaque(colours[part])
            for triangle in puppet.triangles[puppet.part_starts[part] : puppet.part_starts[part + 1]]:
                cv2.fillConvexPoly(canvas, vertices[triangle], colour, cv2.LINE_8, _SUBPIXEL_BITS)
    if overlay.mesh:
        outlines = list(vertices[puppet.triangles])
        cv2.polylines(canvas, outlines, True, _opaque(MESH_COLOUR), 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    if overlay.bones:
        joints = _fixed(overlay.joints[frame])
        bones = [joints[[parent, joint]] for joint, parent in enumerate(overlay.parents) if parent >= 0]
        cv2.polylines(canvas, bones, False, _opaque(BONE_COLOUR), 2, cv2.LINE_AA, _SUBPIXEL_BITS)
        for joint in joints:
            radius = 3 << _SUBPIXEL_BITS
            cv2.circle(canvas, joint.tolist(), radius, _opaque(JOINT_COLOUR), -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Picture coordinates to OpenCV's fixed point, where the first pixel's centre is at (0, 0)."""
    scaled = (np.asarray(points) - 0.5) * (1 << _SUBPIXEL_BITS)
    return np.rint(np.clip(scaled, -1e6, 1e6)).astype(np.int32)


def _opaque(colour: NDArray[np.uint8] | tuple[int, int, int]) -> tuple[int, int, int, int]:
    red, green, blue = (int(channel) for channel in colour)
    return red, green, blue, 255
