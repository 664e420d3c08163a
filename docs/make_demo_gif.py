"""Makes docs/demo.gif: the sample drawing, and beside it two of its animations.

python docs/make_demo_gif.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from animation_server.animate import AnimationOptions, animate_puppet, prepare
from animation_server.motion.library import load_motion
from animation_server.one_shot import annotate_image
from animation_server.rendering import set_in_motion
from animation_server.settings import Settings

DOCS = Path(__file__).parent
SIDE = 260
FRAMES = 54
"""Fifteen a second: both motions last 3.6 s."""


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
    frames = [Image.fromarray(frame) for frame in np.concatenate(columns, axis=2)]
    palette = frames[0].quantize(128, dither=Image.Dither.NONE)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    indexed[0].save(
        DOCS / "demo.gif", save_all=True, append_images=indexed[1:], duration=70, loop=0, optimize=True
    )


def _frames(apng: bytes) -> np.ndarray:
    import io

    with Image.open(io.BytesIO(apng)) as clip:
        shown = []
        for frame in range(clip.n_frames):
            clip.seek(frame)
            shown.append(np.asarray(clip.convert("RGB")))
    return np.stack(shown)


if __name__ == "__main__":
    main()
