"""What several commands ask: which motion, and how the clip is to look."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from animation_server.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animation_server.animate import AnimationOptions
    from animation_server.clip import Format
    from animation_server.motion.library import Motion


def add_look(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `look_of` reads."""
    parser.add_argument("--frames", type=positive, metavar="N", help="over the same duration")
    parser.add_argument("--size", type=_size, metavar="WxH", help="in pixels; one number for a square")
    parser.add_argument(
        "--fps", type=float, default=30.0, metavar="N", help="no more frames a second than that"
    )
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="2 is twice as fast")
    parser.add_argument("--once", action="store_true", help="show the clip once instead of repeating it")
    parser.add_argument(
        "--background",
        default="transparent",
        metavar="transparent|#RRGGBB|sheet|FILE",
        help="what is behind the figure; sheet: its own drawing, without it",
    )


def look_of(
    arguments: argparse.Namespace, size: tuple[int, int], name: Format
) -> tuple[AnimationOptions, NDArray[np.uint8] | None]:
    """How a clip is to look, and the picture behind it where one was named."""
    from animation_server.animate import AnimationOptions
    from animation_server.render.backdrop import parse_colour, read_picture

    background: str = arguments.background
    colour: tuple[int, int, int] | Literal["sheet"] | None = None
    picture = None
    if background.startswith("#"):
        try:
            colour = parse_colour(background)
        except ValueError as exc:
            raise InputError(f"--background: {exc}") from exc
    elif background == "sheet":
        colour = "sheet"
    elif background != "transparent":
        picture = read_picture(Path(background))
    options = AnimationOptions(
        size=arguments.size or size,
        format=name,
        max_fps=arguments.fps,
        frames=arguments.frames,
        background=colour,
        speed=arguments.speed,
        loop=not arguments.once,
    )
    return options, picture


def format_of(output: Path) -> Format:
    """Tell the format by a file's name; InputError where it names none."""
    from animation_server.clip import EXTENSIONS

    formats = {f".{extension}": name for name, extension in EXTENSIONS.items()}
    if output.suffix.lower() not in formats:
        raise InputError(f"{output}: expected a name that ends in {', '.join(formats)}")
    return formats[output.suffix.lower()]


def load_motion(source: str, retarget: Path | None = None) -> Motion:
    """Load a bundled motion by its name, or a file by anything that looks like one."""
    from animation_server.motion.library import load_motion

    return load_motion(Path(source) if is_file(source) else source, retarget)


def require_own_names(motions: Iterable[Motion]) -> None:
    """Raise InputError where motions share a name: clips are called after them, and one would be lost."""
    shared = [name for name, count in Counter(motion.name for motion in motions).items() if count > 1]
    if shared:
        raise InputError(
            f"--motion: expected motions of different names, came two called {', '.join(shared)}; "
            "rename the file of one"
        )


def is_file(source: str) -> bool:
    """Tell whether a motion is named by a file."""
    path = Path(source)
    return path.suffix.lower() in (".bvh", ".yaml", ".yml") or len(path.parts) > 1


def positive(text: str) -> int:
    """Read a whole number of at least 1, for argparse."""
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, came {text!r}")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.partition("x")
    return positive(width), positive(height if x else width)
