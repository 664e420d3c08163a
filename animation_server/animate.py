"""A character, a motion and options in; a clip's bytes out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from animation_server.character import Character
from animation_server.clip import (
    CONTENT_TYPES,
    ClipFormat,
    EncodedClip,
    Format,
    Progress,
    clip_colours,
    encode_clip,
    reported,
)
from animation_server.errors import InputError
from animation_server.motion.rig_motion import RigMotion
from animation_server.motion.timeline import share_time
from animation_server.render.backdrop import Colour, cover, plain
from animation_server.render.puppet import Puppet, make_puppet
from animation_server.render.scene import draw_frames, frame_all, make_actor
from animation_server.telemetry.stages import stage, staged

WHITE: Colour = (255, 255, 255)

_LARGEST_SIDE = 2048


@dataclass(frozen=True)
class AnimationOptions:
    """How a clip is to look. Plain values only, for storage keys are made of them.

    size : width, height in pixels.
    format : "gif", "webp" (lossless alpha), "apng" (lossless) or "mp4" (H.264, opaque, a pixel larger where
        a side is odd).
    max_fps, max_frames : frames a second and in all that are not exceeded; the duration stays.
    frames : a number of frames wanted instead of these bounds. The duration stays; no more than fifty a
        second are shown.
    background : None for a transparent one, which is white in an MP4; an RGB colour of 0 to 255; or "sheet",
        the drawing itself with the figure taken out, see `animate_sheet`.
    speed : the duration is divided by it.
    loop : whether the clip is repeated for ever or shown once; players of MP4 decide that themselves.
    """

    size: tuple[int, int] = (400, 400)
    format: Format = "gif"
    max_fps: float = 30.0
    max_frames: int | None = None
    frames: int | None = None
    background: Colour | Literal["sheet"] | None = None
    speed: float = 1.0
    loop: bool = True

    def __post_init__(self) -> None:
        if not all(1 <= side <= _LARGEST_SIDE for side in self.size):
            raise InputError(f"size: want 1 to {_LARGEST_SIDE} pixels a side, got {self.size}")
        if self.format not in CONTENT_TYPES:
            raise InputError(f"format: want one of {', '.join(CONTENT_TYPES)}, got {self.format!r}")
        if not self.max_fps > 0:
            raise InputError(f"max_fps: want a positive number, got {self.max_fps}")
        if not 0.1 <= self.speed <= 10.0:
            raise InputError(f"speed: want 0.1 to 10, got {self.speed}")
        for name, number in (("max_frames", self.max_frames), ("frames", self.frames)):
            if number is not None and number < 1:
                raise InputError(f"{name}: want at least 1, got {number}")
        if not (self.background in (None, "sheet") or _is_colour(self.background)):
            raise InputError(f"background: want three numbers of 0 to 255 or 'sheet', got {self.background}")

    @property
    def frame_bounds(self) -> tuple[float, int | None]:
        """Frames a second, and in all, that are not exceeded."""
        return (math.inf, self.frames) if self.frames else (self.max_fps, self.max_frames)


def _is_colour(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(0 <= channel <= 255 for channel in value)


def prepare(character: Character, *, even_paper: bool = True) -> Puppet:
    """Do once what all motions of a character share: mesh, bones, factorisation, cutout.

    even_paper : see `cut_out`.
    """
    with stage("deform"):
        return make_puppet(character, even_paper=even_paper)


def animate(
    character: Character,
    motion: RigMotion,
    options: AnimationOptions | None = None,
    progress: Progress | None = None,
) -> EncodedClip:
    """Animate a character. For several motions, `prepare` once and call `animate_puppet`."""
    return animate_puppet(prepare(character), motion, options, progress)


def animate_puppet(
    puppet: Puppet,
    motion: RigMotion,
    options: AnimationOptions | None = None,
    progress: Progress | None = None,
    picture: NDArray[np.uint8] | None = None,
) -> EncodedClip:
    """Animate a prepared character.

    picture : (H, W, 3) uint8 RGB of any size, shown behind the figure instead of `options.background`.

    The figure is framed so that it stays in view for the whole clip. Puppets are not changed: several
    motions may be rendered in several threads. Raises InputError when the motion was made for another
    skeleton, or the background is the sheet, which is not at hand here.
    """
    options = options or AnimationOptions()
    if motion.n_frames < 1:
        raise InputError("motion: want at least one frame, got none")
    width, height = options.size
    background = _background(options) if picture is None else cover(picture, width, height)
    timing, (frames,) = share_time([motion], *options.frame_bounds, options.speed)
    with stage("deform"):
        world = puppet.pose(motion, frames)
    with stage("draw"):
        actor = make_actor(puppet, world, motion.draw_order[frames], frame_all([world], width, height))
    frames_drawn = staged("draw", draw_frames([actor], width, height, background))
    drawn = reported(frames_drawn, len(timing.frames), progress)
    kind = ClipFormat(options.format, width, height, options.loop, is_picture=picture is not None)
    with stage("encode"):
        return encode_clip(drawn, timing, kind, clip_colours([actor], background))


def _background(options: AnimationOptions) -> NDArray[np.uint8] | None:
    if options.background == "sheet":
        raise InputError("background: the sheet is not known here; want a colour, or animate_sheet")
    if options.background is None and options.format != "mp4":
        return None
    return plain(options.background or WHITE, *options.size)
