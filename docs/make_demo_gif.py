"""Makes docs/demo.gif: the sample drawing, and beside it two of its animations.

python docs/make_demo_gif.py
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from animation_server.animate import AnimationOptions, animate_puppet, prepare
from animation_server.encode.gif import encode_gif
from animation_server.encode.palette import choose_palette
from animation_server.motion.library import load_motion
from animation_server.one_shot import annotate_image
from animation_server.render.raster import pack
from animation_server.rendering import set_in_motion
from animation_server.settings import Settings

DOCS = Path(__file__).parent
SIDE = 260
FRAMES = 54
"""Fifteen a second: both motions last 3.6 s."""
COLOURS = 128


def main() -> None:
    """Write the picture."""
    photograph = DOCS / "sample_drawing.jpg"
    character = annotate_image(photograph.read_bytes(), Settings()).character
    puppet = prepare(character)
    options = AnimationOptions(size=(SIDE, SIDE), format="apng", frames=FRAMES, background=(255, 255, 255))
    with Image.open(photograph) as picture:
        picture.thumbnail((SIDE, SIDE))
        paper = Image.new("RGB", (SIDE, SIDE), "white")
        paper.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    columns = [np.stack([np.asarray(paper)] * FRAMES)]
    for name in ("dab", "jumping"):
        moved = set_in_motion(character, load_motion(name), FRAMES)
        columns.append(_frames(animate_puppet(puppet, moved.motion, options).data))
    frames = np.concatenate(columns, axis=2)
    white = np.array((255, 255, 255), np.uint8)
    palette = choose_palette(frames[::9].reshape(-1, 3), COLOURS, ground=white)
    whole = (0, 0, frames.shape[2], frames.shape[1])
    opaque = np.insert(frames, 3, 255, axis=3)
    gif = encode_gif(
        ((pack(frame), whole) for frame in opaque), [7] * FRAMES, palette, *whole[2:], tolerance=0.015
    )
    (DOCS / "demo.gif").write_bytes(gif)


def _frames(apng: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(apng)) as clip:
        shown = []
        for frame in range(clip.n_frames):
            clip.seek(frame)
            shown.append(np.asarray(clip.convert("RGB")))
    return np.stack(shown)


if __name__ == "__main__":
    main()
