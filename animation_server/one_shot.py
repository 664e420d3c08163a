"""The pipeline without a server: what the command line does with one image or one character folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions, animate_puppet, prepare
from animation_server.annotate import Annotation, annotate, annotate_all
from animation_server.app import decode_limits, make_inference_client
from animation_server.character import Character
from animation_server.clip import EncodedClip, Progress
from animation_server.concurrency import ThreadExecutor, usable_cores
from animation_server.drawing import decode_drawing
from animation_server.errors import InputError
from animation_server.inference.contract import InferenceClient
from animation_server.motion.dump import dump_arrays
from animation_server.motion.library import Motion
from animation_server.motion.retarget import RetargetResult
from animation_server.motion.timeline import share_time
from animation_server.render.puppet import Puppet
from animation_server.rendering import prepare_character, render_motion, set_in_motion
from animation_server.scene.sheet import animate_sheet, prepare_sheet
from animation_server.settings import Settings


def annotate_image(image: bytes, settings: Settings) -> Annotation:
    """Decode and annotate an image with the models that the settings name."""
    with inference_client(settings) as models:
        return annotate(decode_drawing(image, decode_limits(settings)), models)


def annotate_every_figure(image: bytes, settings: Settings) -> list[Annotation]:
    """Decode an image and annotate all its figures, the most certain first."""
    with inference_client(settings) as models:
        return annotate_all(decode_drawing(image, decode_limits(settings)), models)


def animate_image(
    image: bytes,
    settings: Settings,
    motions: Sequence[Motion],
    options: AnimationOptions,
    done: Callable[[Motion, EncodedClip], None],
    progress: Progress | None = None,
    picture: NDArray[np.uint8] | None = None,
) -> None:
    """Animate a drawing's figure with motions, side by side.

    done : gets each clip as it is finished, on one of the threads. picture : see `animate_puppet`.
    """
    drawing = decode_drawing(image, decode_limits(settings))
    with inference_client(settings) as models:
        annotation = annotate(drawing, models)
    prepared = (
        prepare_sheet(drawing, [annotation])
        if options.background == "sheet"
        else prepare_character(annotation.character)
    )

    def render(motion: Motion) -> None:
        done(motion, render_motion(prepared, motion, options, progress, picture))

    executor = ThreadExecutor(min(len(motions), usable_cores()))
    try:
        executor.map(render, motions)
    finally:
        executor.close()


def animate_every_figure(
    image: bytes,
    settings: Settings,
    motions: Sequence[Motion],
    options: AnimationOptions,
    progress: Progress | None = None,
) -> EncodedClip:
    """Animate all figures of a drawing together, on their sheet; where motions are fewer, they take turns."""
    drawing = decode_drawing(image, decode_limits(settings))
    with inference_client(settings) as models:
        sheet = prepare_sheet(drawing, annotate_all(drawing, models))
    moved = [
        set_in_motion(figure.character, motion, options.frames).motion
        for figure, motion in zip(sheet.figures, cycle(motions), strict=False)
    ]
    return animate_sheet(sheet, moved, options, progress)


def render_with_dump(
    character: Character,
    motion: Motion,
    options: AnimationOptions,
    progress: Progress | None = None,
    picture: NDArray[np.uint8] | None = None,
) -> tuple[EncodedClip, Callable[[], bytes]]:
    """Render one motion; return the clip, and what makes the .npz file of everything computed for the motion.

    The file's array `shown_frames` (n) tells which of them the clip shows. picture : see `animate_puppet`.
    """
    puppet = prepare(character)
    moved = set_in_motion(character, motion, options.frames)
    clip = animate_puppet(puppet, moved.motion, options, progress, picture)
    return clip, lambda: _dump(puppet, moved, options)


def read_image(path: Path) -> bytes:
    """Read an image file; InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path}: expected an image file, cannot read it: {exc.strerror}") from exc


def _dump(puppet: Puppet, moved: RetargetResult, options: AnimationOptions) -> bytes:
    _, (shown,) = share_time([moved.motion], *options.frame_bounds, options.speed)
    frames = np.arange(moved.motion.n_frames, dtype=np.int64)
    arrays: dict[str, Any] = dump_arrays(moved) | {
        "rest_vertices": puppet.rest_vertices,
        "triangles": puppet.triangles,
        "shown_frames": shown,
        "vertices_xy": puppet.pose(moved.motion, frames)[..., :2],
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@contextmanager
def inference_client(settings: Settings) -> Iterator[InferenceClient]:
    """The models that the settings name; closed afterwards."""
    executor = ThreadExecutor(1)
    models = make_inference_client(settings, executor)
    try:
        yield models
    finally:
        models.close()
        executor.close()
