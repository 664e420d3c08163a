"""Drawn frames to a finished file, in any of the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from animation_server.encode.apng import encode_apng
from animation_server.encode.gif import encode_gif
from animation_server.encode.palette import choose_palette
from animation_server.encode.timing import Timing
from animation_server.encode.webp import encode_webp
from animation_server.render.raster import unpack
from animation_server.render.scene import Actor, Drawn

Format = Literal["gif", "webp", "apng", "mp4"]

CONTENT_TYPES: dict[Format, str] = {
    "gif": "image/gif",
    "webp": "image/webp",
    "apng": "image/apng",
    "mp4": "video/mp4",
}

EXTENSIONS: dict[Format, str] = {"gif": "gif", "webp": "webp", "apng": "png", "mp4": "mp4"}
"""What the files of each format are called."""

_GIF_COLOURS = 127
_PICTURE_COLOURS = 255
"""Photographs have shades in which every colour saved is seen as a step."""

_PALETTE_TOLERANCE = 0.02
"""OKLab; a just noticeable difference. Drawings have few colours, and small palettes compress well."""

_MOST_SAMPLES = 40_000

_PIXEL_TOLERANCE = 0.09
"""OKLab; as much as single pixels within strokes and edges may be off in a moving picture."""


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


@dataclass(frozen=True)
class ClipFormat:
    """What kind of file to make.

    width, height : of the frames, pixels; an MP4 of odd sides is a pixel larger.
    loops : whether the file asks to be repeated for ever; an MP4 leaves that to its player.
    is_picture : whether what is shown has the many colours of a photograph.
    """

    name: Format
    width: int
    height: int
    loops: bool = True
    is_picture: bool = False


@dataclass(frozen=True)
class ClipColours:
    """The colours that frames are made of.

    samples : (n, 3) uint8 RGB. ground : (3,) uint8 RGB of a plain background, None for any other.
    """

    samples: NDArray[np.uint8]
    ground: NDArray[np.uint8] | None = None


def encode_clip(
    frames: Iterator[Drawn], timing: Timing, kind: ClipFormat, colours: ClipColours
) -> EncodedClip:
    """Encode drawn frames, one at a time.

    frames : as `draw_frames` yields them; for an MP4 they must be opaque.
    timing : of the clip; an MP4 shows all frames equally long.
    colours : what a GIF's palette is chosen from.
    """
    n_frames, width, height = len(timing.frames), kind.width, kind.height
    if kind.name == "gif":
        if kind.is_picture:
            palette = choose_palette(colours.samples, _PICTURE_COLOURS, ground=colours.ground)
        else:
            palette = choose_palette(colours.samples, _GIF_COLOURS, _PALETTE_TOLERANCE, colours.ground)
        data = encode_gif(
            frames, timing.delays_cs, palette, width, height, _PIXEL_TOLERANCE, loops=kind.loops
        )
    elif kind.name == "mp4":
        # FFmpeg's libraries take a third of a second to load, which no other format need wait for
        from animation_server.encode.mp4 import encode_mp4

        rate = Fraction(100 * n_frames, int(timing.delays_cs.sum()))
        data = encode_mp4((unpack(picture) for picture, _ in frames), rate, n_frames)
        width, height = width + width % 2, height + height % 2
    else:
        encode = encode_webp if kind.name == "webp" else encode_apng
        data = encode((unpack(picture) for picture, _ in frames), timing.delays_cs, loops=kind.loops)
    return EncodedClip(data, CONTENT_TYPES[kind.name], width, height, n_frames, timing.duration)


def clip_colours(actors: Sequence[Actor], background: NDArray[np.uint8] | None) -> ClipColours:
    """The colours that frames are made of: the figures', the background's, and their mixtures at the edge.

    background : (H, W, 3) uint8, or None for a transparent one.
    """
    pixels = np.concatenate([actor.sprite.rgba.reshape(-1, 4) for actor in actors])
    solid = pixels[pixels[:, 3] == 255, :3]
    if background is None:
        return ClipColours(solid)
    paper = background.reshape(-1, 3)
    ground = paper[0] if (paper == paper[0]).all() else None
    paper = paper[:: len(paper) // _MOST_SAMPLES + 1]
    edge = pixels[(pixels[:, 3] > 0) & (pixels[:, 3] < 255)]
    share = 255 - edge[:, 3:].astype(np.uint16)
    behind = np.rint(paper.mean(axis=0)).astype(np.uint16)
    mixed = (edge[:, :3] + (behind * share + 127) // 255).clip(0, 255)
    return ClipColours(np.concatenate((solid, mixed.astype(np.uint8), paper)), ground)


def reported(frames: Iterator[Drawn], total: int, progress: Progress | None) -> Iterator[Drawn]:
    """Pass frames on and report each once it is done with."""
    for done, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(done, total)
