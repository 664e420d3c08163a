"""A character, a motion and options in; a clip's bytes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from animation_server.character import Character
from animation_server.encode.gif import encode_gif
from animation_server.encode.palette import choose_palette
from animation_server.encode.pillow_formats import encode_apng, encode_webp
from animation_server.encode.timing import choose_frames
from animation_server.errors import InputError
from animation_server.motion.rig_motion import RigMotion
from animation_server.render.puppet import Puppet, make_puppet
from animation_server.render.raster import unpack
from animation_server.render.scene import Actor, Drawn, draw_frames, frame_all, make_actor

Format = Literal["gif", "webp", "apng"]

CONTENT_TYPES: dict[Format, str] = {"gif": "image/gif", "webp": "image/webp", "apng": "image/apng"}

_GIF_COLOURS = 127
_PALETTE_TOLERANCE = 0.02
"""OKLab; a just noticeable difference. Drawings have few colours, and small palettes compress well."""

_PIXEL_TOLERANCE = 0.09
"""OKLab; as much as single pixels within strokes and edges may be off in a moving picture."""

_LARGEST_SIDE = 2048


@dataclass(frozen=True)
class AnimationOptions:
    """How a clip is to look.

    size : width, height in pixels.
    format : "gif", "webp" (lossless alpha) or "apng" (lossless).
    max_fps, max_frames : frames a second and in all that are not exceeded; the duration stays.
    frames : a number of frames wanted instead of these bounds. The duration stays; a GIF shows no more than
        fifty a second.
    background : None for a transparent one, or an RGB colour of 0 to 255.
    """

    size: tuple[int, int] = (400, 400)
    format: Format = "gif"
    max_fps: float = 30.0
    max_frames: int | None = None
    frames: int | None = None
    background: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if not all(1 <= side <= _LARGEST_SIDE for side in self.size):
            raise InputError(f"size: want 1 to {_LARGEST_SIDE} pixels a side, got {self.size}")
        if self.format not in CONTENT_TYPES:
            raise InputError(f"format: want one of {', '.join(CONTENT_TYPES)}, got {self.format!r}")
        if not self.max_fps > 0:
            raise InputError(f"max_fps: want a positive number, got {self.max_fps}")
        for name, number in (("max_frames", self.max_frames), ("frames", self.frames)):
            if number is not None and number < 1:
                raise InputError(f"{name}: want at least 1, got {number}")
        if self.background is not None and not all(0 <= channel <= 255 for channel in self.background):
            raise InputError(f"background: want three numbers of 0 to 255, got {self.background}")


@dataclass(frozen=True)
class EncodedClip:
    """A finished clip.

    data : the file's bytes. width, height : pixels. n_frames : frames it shows. duration : seconds.
    """

    data: bytes
    content_type: str
    width: int
    height: int
    n_frames: int
    duration: float


Progress = Callable[[int, int], None]
"""Called after each frame with the number of frames done and their total."""


def prepare(character: Character) -> Puppet:
    """Do once what all motions of a character share: mesh, bones, factorisation, cutout."""
    return make_puppet(character)


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
) -> EncodedClip:
    """Animate a prepared character.

    The figure is framed so that it stays in view for the whole clip. Puppets are not changed: several
    motions may be rendered in several threads. Raises InputError when the motion was made for another
    skeleton.
    """
    options = options or AnimationOptions()
    if motion.n_frames < 1:
        raise InputError("motion: want at least one frame, got none")
    bounds = (math.inf, None) if options.frames else (options.max_fps, options.max_frames)
    timing = choose_frames(motion.n_frames, motion.frame_time, *bounds)
    world = puppet.pose(motion, timing.frames)
    camera = frame_all([world], *options.size)
    actor = make_actor(puppet, world, motion.draw_order[timing.frames], camera)
    width, height = options.size
    frames = draw_frames([actor], width, height, _fill(options.background, width, height))
    if progress is not None:
        frames = _reported(frames, len(timing.frames), progress)
    if options.format == "gif":
        palette = choose_palette(_colours(actor, options.background), _GIF_COLOURS, _PALETTE_TOLERANCE)
        data = encode_gif(frames, timing.delays_cs, palette, width, height, _PIXEL_TOLERANCE)
    else:
        encode = encode_webp if options.format == "webp" else encode_apng
        data = encode((unpack(picture) for picture, _ in frames), timing.delays_cs)
    return EncodedClip(
        data, CONTENT_TYPES[options.format], width, height, len(timing.frames), timing.duration
    )


def _fill(colour: tuple[int, int, int] | None, width: int, height: int) -> NDArray[np.uint8] | None:
    return None if colour is None else np.full((height, width, 3), colour, np.uint8)


def _reported(frames: Iterator[Drawn], total: int, progress: Progress) -> Iterator[Drawn]:
    for done, frame in enumerate(frames, 1):
        yield frame
        progress(done, total)


def _colours(actor: Actor, background: tuple[int, int, int] | None) -> NDArray[np.uint8]:
    """The colours (n, 3) that frames are made of: the figure's, the background's, and their mixtures at
    the edge.
    """
    pixels = actor.sprite.rgba.reshape(-1, 4)
    solid = pixels[pixels[:, 3] == 255, :3]
    if background is None:
        return solid
    edge = pixels[(pixels[:, 3] > 0) & (pixels[:, 3] < 255)]
    share = 255 - edge[:, 3:].astype(np.uint16)
    mixed = (edge[:, :3] + (np.array(background, np.uint16) * share + 127) // 255).clip(0, 255)
    paper = np.full((len(solid) // 4 + 1, 3), background, np.uint8)
    return np.concatenate((solid, mixed.astype(np.uint8), paper))
