"""Figures animated where they were drawn, on their own sheet of paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions, prepare
from animation_server.annotate import Annotation
from animation_server.character import Character
from animation_server.clip import ClipFormat, EncodedClip, Progress, clip_colours, encode_clip, reported
from animation_server.drawing import Drawing
from animation_server.errors import InputError
from animation_server.motion.rig_motion import RigMotion
from animation_server.motion.timeline import share_time
from animation_server.render.backdrop import stretch
from animation_server.render.camera import Camera
from animation_server.render.puppet import Puppet
from animation_server.render.scene import Actor, draw_frames, make_actor
from animation_server.scene.sheet_background import Place, clear_sheet, place_of
from animation_server.telemetry.stages import stage, staged


@dataclass(frozen=True)
class SheetFigure:
    """A figure of a sheet, ready to be moved. Its paper is left as it is, for it lies on the same."""

    character: Character
    puppet: Puppet
    place: Place


@dataclass(frozen=True)
class Sheet:
    """A drawing taken apart.

    paper : (H, W, 3) uint8 RGB, the drawing without its figures. figures : in the annotations' order.
    """

    paper: NDArray[np.uint8]
    figures: tuple[SheetFigure, ...]


def prepare_sheet(drawing: Drawing, annotations: Sequence[Annotation]) -> Sheet:
    """Do once what all motions share: take the figures off their sheet and prepare each."""
    figures = tuple(
        SheetFigure(
            annotation.character,
            prepare(annotation.character, even_paper=False),
            place_of(annotation, drawing),
        )
        for annotation in annotations
    )
    with stage("draw"):
        paper = clear_sheet(drawing.rgb, [(figure.character.mask, figure.place) for figure in figures])
    return Sheet(paper, figures)


def animate_sheet(
    sheet: Sheet,
    motions: Sequence[RigMotion],
    options: AnimationOptions | None = None,
    progress: Progress | None = None,
) -> EncodedClip:
    """Animate the figures of a sheet, all at once, each where it was drawn.

    motions : one for each figure, see `share_time`; a figure walks no further than to the sheet's edge.
    options : the picture has the sheet's proportions and fits into `size`; `background` is of no effect.

    Sheets are not changed: several clips may be rendered in several threads. Raises InputError when a motion
    was made for another skeleton.
    """
    options = options or AnimationOptions(background="sheet")
    if len(motions) != len(sheet.figures) or not motions:
        raise InputError(f"motions: want one for each of {len(sheet.figures)} figures, got {len(motions)}")
    rows, columns = sheet.paper.shape[:2]
    ratio = min(options.size[0] / columns, options.size[1] / rows)
    width, height = max(1, round(columns * ratio)), max(1, round(rows * ratio))
    timing, shown = share_time(motions, *options.frame_bounds, options.speed)
    with stage("deform"):
        actors = [
            _put_in_place(figure, motion, frames, (width / columns, height / rows), (width, height))
            for figure, motion, frames in zip(sheet.figures, motions, shown, strict=True)
        ]
    paper = stretch(sheet.paper, width, height)
    frames_drawn = staged("draw", draw_frames(actors, width, height, paper))
    drawn = reported(frames_drawn, len(timing.frames), progress)
    kind = ClipFormat(options.format, width, height, options.loop, is_picture=True)
    with stage("encode"):
        return encode_clip(drawn, timing, kind, clip_colours(actors, paper))


def _put_in_place(
    figure: SheetFigure,
    motion: RigMotion,
    frames: NDArray[np.int64],
    ratio: tuple[float, float],
    size: tuple[int, int],
) -> Actor:
    """See a figure through a camera for which its root begins where it was drawn.

    ratio : picture pixels for a sheet's pixel, x and y. size : width, height of the picture.
    """
    texels = max(figure.character.mask.shape)
    scale = np.array(ratio) * figure.place.scale
    unit = scale * texels
    root = (figure.character.skeleton.joints_px[0] * figure.place.scale + figure.place.offset + 0.5) * ratio
    matrix = np.array([[unit[0], 0.0, 0.0, root[0]], [0.0, -unit[1], 0.0, root[1]], [0.0, 0.0, 0.0, 1.0]])
    way = motion.root_xyz[frames] - motion.root_xyz[frames[0]]
    in_place = figure.puppet.pose(motion, frames) - motion.root_xyz[frames][:, None]
    camera = Camera(matrix, *size)
    way = way * _share_within(camera.project(in_place), way[:, :2] * unit * (1, -1), size)
    return make_actor(figure.puppet, in_place + way[:, None], motion.draw_order[frames], camera)


def _share_within(
    meshes: NDArray[np.float64], ways: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """The share (3) of its way, 0 to 1 along x and y, that a figure can go without leaving the picture.

    meshes : (N, V, 2) in the picture, in place. ways : (N, 2) pixels.
    """
    before = np.maximum(meshes.min(axis=1), 0.0)
    after = np.maximum(size - meshes.max(axis=1), 0.0)
    room = np.where(ways > 0, after, before)
    shares = room / np.maximum(np.abs(ways), 1e-9)
    return np.append(np.minimum(shares.min(axis=0), 1.0), 1.0)
