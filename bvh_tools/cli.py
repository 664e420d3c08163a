"""The command bvh-tools.

Exit codes: 0 done; 2 usage; 3 bad input, told in one line on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bvh_tools.bvh import read_bvh, write_atomically
from bvh_tools.bvh_writer import format_bvh
from bvh_tools.check import check
from bvh_tools.clip import Clip
from bvh_tools.convert import change_fps, change_rotation_order, change_scale, change_up, rename_joints
from bvh_tools.errors import BvhError
from bvh_tools.info import ClipInfo, describe, guess_up
from bvh_tools.loop import UP_AXES, loop
from bvh_tools.preview import encode_gif, encode_png, sheet
from bvh_tools.trim import trim

_BAD_INPUT = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except BvhError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or 'file'}: {error.strerror or error}"
    sys.stderr.write(f"bvh-tools: {message}\n")
    return _BAD_INPUT


# -- commands -------------------------------------------------------------------------------------------


def _info(arguments: argparse.Namespace) -> int:
    info = describe(read_bvh(arguments.input))
    text = json.dumps(info.as_dict(), indent=2) if arguments.json else _info_text(info)
    sys.stdout.write(text + "\n")
    return 0


def _info_text(info: ClipInfo) -> str:
    rows = {
        "frames": f"{info.n_frames} at {info.fps:.6g} fps, {info.duration:.6g} s in all",
        "joints": f"{info.n_joints}, {info.n_end_sites} end sites, {info.n_channels} channels",
        "rotations": ", ".join(info.rotation_orders) or "none",
        "up": info.up,
        "height": f"{info.height:.6g} units" + (f" (a unit seems to be 1 {info.unit})" if info.unit else ""),
        "travel": f"{info.travel:.6g} units",
        "loops": "yes" if info.loops else "no",
        "names": " ".join(info.joints),
    }
    return "\n".join(f"{key + ':':<11}{value}" for key, value in rows.items())


def _trim(arguments: argparse.Namespace) -> int:
    clip = read_bvh(arguments.input)
    start, end = (_frame_index(value, clip) for value in (arguments.start, arguments.end))
    return _write_clip(trim(clip, start, end, arguments.frames), arguments)


def _frame_index(value: str | None, clip: Clip) -> int | None:
    """A frame index from "120", or from seconds as in "1.5s"."""
    if value is None:
        return None
    try:
        if value.endswith("s"):
            return round(float(value[:-1]) / clip.frame_time)
        return int(value)
    except (ValueError, OverflowError):
        raise BvhError(f"expected a frame such as 120 or a time such as 1.5s, got {value!r}") from None


def _loop(arguments: argparse.Namespace) -> int:
    clip = read_bvh(arguments.input)
    up = arguments.up or guess_up(clip)
    return _write_clip(loop(clip, arguments.blend, in_place=arguments.in_place, up=up), arguments)


def _convert(arguments: argparse.Namespace) -> int:
    clip = read_bvh(arguments.input)
    if arguments.up:
        clip = change_up(clip, arguments.from_up or guess_up(clip), arguments.up)
    if arguments.scale is not None:
        clip = change_scale(clip, arguments.scale)
    if arguments.fps is not None:
        clip = change_fps(clip, arguments.fps)
    if arguments.rename:
        clip = rename_joints(clip, dict(_rename_pair(pair) for pair in arguments.rename))
    if arguments.order:
        clip = change_rotation_order(clip, arguments.order)
    return _write_clip(clip, arguments)


def _rename_pair(pair: str) -> tuple[str, str]:
    old, equals, new = pair.partition("=")
    if not (old and equals and new):
        raise BvhError(f"expected a new name as OLD=NEW, got {pair!r}")
    return old, new


def _preview(arguments: argparse.Namespace) -> int:
    clip = read_bvh(arguments.input)
    up = arguments.up or guess_up(clip)
    kind = Path(arguments.output).suffix.lower()
    if kind == ".gif":
        data = encode_gif(clip, arguments.size, arguments.view, up)
    elif kind == ".png":
        data = encode_png(sheet(clip, arguments.count, size=arguments.size, view=arguments.view, up=up))
    else:
        raise BvhError(f"expected an output that ends in .gif or .png, got {arguments.output}")
    return _write(data, arguments)


def _check(arguments: argparse.Namespace) -> int:
    findings = check(read_bvh(arguments.input))
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    grave = {"error"} if not arguments.strict else {"error", "warning"}
    return _BAD_INPUT if any(finding.level in grave for finding in findings) else 0


def _build(arguments: argparse.Namespace) -> int:
    from bvh_tools.authoring import build_clip  # leans on parts of SciPy that images come without

    path = Path(arguments.input)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BvhError(f"{path}: expected UTF-8 text: {error}") from error
    return _write_clip(build_clip(text, source=str(path)), arguments)


def _write_clip(clip: Clip, arguments: argparse.Namespace) -> int:
    return _write(format_bvh(clip).encode(), arguments)


def _write(data: bytes, arguments: argparse.Namespace) -> int:
    output, source = Path(arguments.output), Path(arguments.input)
    if output.exists() and output.samefile(source) and not arguments.force:
        raise BvhError(f"{output}: expected another name than the input's; --force overwrites the input")
    if not output.parent.is_dir():
        raise BvhError(f"{output}: expected a folder that exists, got {output.parent}")
    write_atomically(data, output)
    return 0


# -- arguments ------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bvh-tools", description="Read, mend, show and author BVH motion.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    info = _command(commands, "info", _info, "say what a clip is", output=False)
    info.add_argument("--json", action="store_true", help="as JSON")

    cut = _command(commands, "trim", _trim, "keep a stretch; fewer frames over the same time")
    cut.add_argument("--start", metavar="FRAME", help="first frame kept, or seconds as 1.5s")
    cut.add_argument(
        "--end",
        metavar="FRAME",
        help="first frame left out, or seconds; from the end: -45 or, with the equals sign, --end=-1.5s",
    )
    cut.add_argument("--frames", type=int, help="number of frames to spread over the time that is kept")

    looping = _command(commands, "loop", _loop, "blend the tail into the head so that the clip loops")
    looping.add_argument("--blend", type=int, metavar="FRAMES", help="frames of the tail to blend in")
    looping.add_argument("--in-place", action="store_true", help="hold the root over one spot")
    _up_argument(looping, "--up", "the clip's up axis (default: guessed)")

    preview = _command(commands, "preview", _preview, "draw stick figures: a .gif, or a sheet as .png")
    preview.add_argument("--size", type=_size, default=200, help="side of a figure's square, pixels")
    preview.add_argument("--count", type=_size, default=12, help="figures on a sheet")
    preview.add_argument("--view", choices=("front", "side"), default="front")
    _up_argument(preview, "--up", "the clip's up axis (default: guessed)")

    convert = _command(commands, "convert", _convert, "change axes, unit, frame rate, names, rotation order")
    _up_argument(convert, "--up", "up axis wanted")
    _up_argument(convert, "--from-up", "up axis of the input (default: guessed)")
    convert.add_argument("--scale", type=float, help="factor on all lengths")
    convert.add_argument("--fps", type=float, help="frames a second")
    convert.add_argument(
        "--rename", action="append", metavar="OLD=NEW", help="a joint's new name; repeatable"
    )
    convert.add_argument("--order", metavar="ZXY", help="rotation order of all joints")

    lint = _command(commands, "check", _check, "look a clip over for flips, jumps, sliding", output=False)
    lint.add_argument("--strict", action="store_true", help="warnings fail too")

    _command(commands, "build", _build, "build a clip from key poses in YAML")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    *,
    output: bool = True,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    parser.add_argument("input", metavar="IN")
    if output:
        parser.add_argument("output", metavar="OUT")
        parser.add_argument("--force", action="store_true", help="overwrite the input if it is the output")
    return parser


def _up_argument(parser: argparse.ArgumentParser, flag: str, text: str) -> None:
    axes = sorted({*UP_AXES, *(axis[1:] for axis in UP_AXES)})
    parser.add_argument(flag, type=_axis, metavar="AXIS", help=f"{text}: one of {' '.join(axes)}")


def _axis(value: str) -> str:
    axis = value.lower() if value[:1] in {"+", "-"} else f"+{value.lower()}"
    if axis not in UP_AXES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(UP_AXES)}, got {value!r}")
    return axis


def _size(value: str) -> int:
    size = int(value) if value.isdecimal() else 0
    if not 1 <= size <= 4096:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 4096, got {value!r}")
    return size


if __name__ == "__main__":
    sys.exit(main())
