"""The command animation-server.

Exit codes: 0 done; 2 usage, settings included; 3 bad input, told in one line on stderr; 4 a dependency
failed; 1 a bug. What the commands need is imported when they run, so that --help is quick.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from animation_server.cli_keys import add_keys_command
from animation_server.errors import AnimationError, DependencyError, InputError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animation_server.animate import AnimationOptions
    from animation_server.clip import EncodedClip, Format, Progress
    from animation_server.motion.library import Motion

LIBRARIES = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "1000000",
    "OPENBLAS_NUM_THREADS": "1",
}
"""How the server wants the libraries beneath it. The C library gives images and frames back when they are
freed. Left alone, it keeps them in arenas for every thread and in holes between what lives on: a worker grows
by 100 MB in 20 requests. OpenBLAS keeps to one thread: the matrices are small, and its threads stand in the
way of those that render.
"""

_OUTPUT = "OUT.gif|.webp|.png|.mp4"

USAGE, BAD_INPUT, DEPENDENCY_FAILED, INTERRUPTED = 2, 3, 4, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except SettingsError as exc:
        return _fail(exc, USAGE)
    except DependencyError as exc:
        return _fail(exc, DEPENDENCY_FAILED)
    except AnimationError as exc:
        return _fail(exc, BAD_INPUT)
    except KeyboardInterrupt:
        return INTERRUPTED


def _fail(exc: Exception, code: int) -> int:
    sys.stderr.write("animation-server: " + " ".join(str(exc).split()) + "\n")
    return code


# -- commands -------------------------------------------------------------------------------------------


def _serve(_: argparse.Namespace) -> int:
    from animation_server.settings import Settings

    Settings.from_environ()  # says what is wrong before gunicorn wraps it in a traceback
    # gunicorn takes this process's place: signals reach it, and nothing is imported before it patches.
    command = [sys.executable, "-m", "gunicorn", "--config", "python:animation_server.gunicorn_config"]
    sys.stdout.flush()
    environ = {**LIBRARIES, **os.environ}
    os.execve(sys.executable, [*command, "animation_server.app:create_app()"], environ)  # noqa: S606


def _worker(_: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "animation_server.jobs.worker"]
    sys.stdout.flush()
    os.execve(sys.executable, command, {**LIBRARIES, **os.environ})  # noqa: S606


def _annotate(arguments: argparse.Namespace) -> int:
    from animation_server.annotation_folder import write_annotation
    from animation_server.one_shot import annotate_every_figure, annotate_image, read_image
    from animation_server.settings import Settings

    image, settings = read_image(arguments.image), Settings.from_environ()
    annotations = (
        annotate_every_figure(image, settings) if arguments.all else [annotate_image(image, settings)]
    )
    with _writing(arguments.output):
        for number, annotation in enumerate(annotations, 1):
            folder = arguments.output / f"figure_{number}" if arguments.all else arguments.output
            write_annotation(annotation, folder)
    return 0


def _animate(arguments: argparse.Namespace) -> int:
    from animation_server.clip import EXTENSIONS
    from animation_server.files import write_atomically
    from animation_server.one_shot import animate_every_figure, animate_image, read_image
    from animation_server.settings import Settings

    settings = Settings.from_environ()
    options, picture = _look(arguments, (settings.size, settings.size), arguments.format)
    motions = [_load_motion(name) for name in dict.fromkeys(arguments.motion or settings.motions)]
    image = read_image(arguments.image)

    def write(name: str, clip: EncodedClip) -> None:
        # made only now, for nothing is to be left behind by an image that is refused
        arguments.output.mkdir(parents=True, exist_ok=True)
        write_atomically(arguments.output / f"{name}.{EXTENSIONS[options.format]}", clip.data)

    def write_motion(motion: Motion, clip: EncodedClip) -> None:
        write(motion.name, clip)

    with _writing(arguments.output):
        if arguments.figures == "all":
            with _progress_bar(1) as progress:
                write("sheet", animate_every_figure(image, settings, motions, options, progress))
        else:
            with _progress_bar(len(motions)) as progress:
                animate_image(image, settings, motions, options, write_motion, progress, picture)
    return 0


def _render(arguments: argparse.Namespace) -> int:
    from animation_server.character import read_character
    from animation_server.files import write_atomically
    from animation_server.one_shot import render_with_dump

    output: Path = arguments.output
    options, picture = _look(arguments, (400, 400), _format_of(output))
    motion = _load_motion(arguments.motion, arguments.retarget)
    character = read_character(arguments.character)
    with _progress_bar(1) as progress:
        clip, dump = render_with_dump(character, motion, options, progress, picture)
    with _writing(output):
        write_atomically(output, clip.data)
        if arguments.dump:
            write_atomically(arguments.dump, dump)
    return 0


def _scene(arguments: argparse.Namespace) -> int:
    from animation_server.files import write_atomically
    from animation_server.scene.config import load_scene_config
    from animation_server.scene.scene import render_scene

    config = load_scene_config(arguments.scene)
    output: Path = arguments.output or config.output
    name = _format_of(output)
    with _progress_bar(1) as progress:
        clip = render_scene(config, name, progress)
    with _writing(output):
        write_atomically(output, clip.data)
    return 0


def _batch(arguments: argparse.Namespace) -> int:
    os.environ.update({**LIBRARIES, **os.environ})  # for the processes that are started

    from animation_server.batch.command import run_batch
    from animation_server.batch.inputs import find_inputs, take_share
    from animation_server.batch.plan import BatchPlan
    from animation_server.settings import Settings

    settings = Settings.from_environ()
    options, picture = _look(arguments, (settings.size, settings.size), arguments.format)
    named = dict.fromkeys(arguments.motion or settings.motions)
    motions = tuple(Path(name).resolve() if _is_file(name) else name for name in named)
    for name in named:
        _load_motion(name)  # says what is wrong before anything else starts
    plan = BatchPlan(motions, options, arguments.output, settings, picture)
    items = take_share(find_inputs(arguments.inputs, plan.folder), *arguments.share)
    return run_batch(plan, items, arguments.workers)


def _doctor(arguments: argparse.Namespace) -> int:
    from animation_server.doctor import examine
    from animation_server.settings import Settings

    findings = []
    for finding in examine(Settings.from_environ()):
        findings.append(finding)
        if not arguments.json:
            mark = finding.state if finding.state == "ok" else finding.state.upper()
            mend = f"{'':18}-> {finding.mend}\n" if finding.mend else ""
            sys.stdout.write(f"{mark:<6}{finding.part + ':':<12}{finding.words}\n{mend}")
            sys.stdout.flush()
    healthy = all(finding.state != "fail" for finding in findings)
    if arguments.json:
        json.dump({"ok": healthy, "findings": [vars(finding) for finding in findings]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    return 0 if healthy else DEPENDENCY_FAILED


# -- what they share ------------------------------------------------------------------------------------


def _load_motion(source: str, retarget: Path | None = None) -> Motion:
    """Load a bundled motion by its name, or a file by anything that looks like one."""
    from animation_server.motion.library import load_motion

    return load_motion(Path(source) if _is_file(source) else source, retarget)


def _is_file(source: str) -> bool:
    path = Path(source)
    return path.suffix.lower() in (".bvh", ".yaml", ".yml") or len(path.parts) > 1


def _look(
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


def _format_of(output: Path) -> Format:
    from animation_server.clip import EXTENSIONS

    formats = {f".{extension}": name for name, extension in EXTENSIONS.items()}
    if output.suffix.lower() not in formats:
        raise InputError(f"{output}: expected a name that ends in {', '.join(formats)}")
    return formats[output.suffix.lower()]


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn failures to write what was asked for into one line."""
    try:
        yield
    except OSError as exc:
        raise InputError(f"{place}: cannot write: {exc.strerror or exc}") from exc


@contextmanager
def _progress_bar(clips: int) -> Iterator[Progress]:
    """Show frames done on a terminal; nothing in a pipe."""
    from tqdm import tqdm

    adding = threading.Lock()
    with tqdm(total=0, unit="frame", desc=f"{clips} animation{'s' * (clips > 1)}", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            if done == 1:
                with adding:
                    bar.total = (bar.total or 0) + total
            bar.update(1)

        yield progress


# -- arguments ------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animation-server",
        description="Animates drawings. Settings are environment variables that start with ANIMATION_; "
        "the README lists them.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="run the server: gunicorn with gevent workers")
    serve.set_defaults(run=_serve)

    worker = commands.add_parser("worker", help="work on queued jobs: a Celery worker")
    worker.set_defaults(run=_worker)

    annotate = commands.add_parser("annotate", help="find the figure in a drawing, write a character folder")
    annotate.add_argument("image", type=Path, metavar="IMAGE")
    annotate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    annotate.add_argument(
        "--all", action="store_true", help="every figure, in DIR/figure_1, DIR/figure_2, ..."
    )
    annotate.set_defaults(run=_annotate)

    animate = commands.add_parser("animate", help="animate a drawing without a server")
    animate.add_argument("image", type=Path, metavar="IMAGE")
    animate.add_argument(
        "--motion",
        action="append",
        metavar="NAME",
        help="a bundled motion, a motion configuration or a BVH file; may be repeated; "
        "without it, those of ANIMATION_MOTIONS",
    )
    animate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    animate.add_argument(
        "--figures",
        choices=("best", "all"),
        default="best",
        help="all: every figure of the drawing in one clip, sheet.FORMAT, on the sheet itself; "
        "the first figure has the first motion, and so on",
    )
    animate.add_argument("--format", choices=("gif", "webp", "apng", "mp4"), default="gif")
    _add_look(animate)
    animate.set_defaults(run=_animate)

    batch = commands.add_parser(
        "batch", help="animate many drawings; started again, it goes on where it stopped"
    )
    batch.add_argument(
        "inputs", type=Path, nargs="+", metavar="FILE|DIR", help="drawings, or folders of them"
    )
    batch.add_argument("-o", "--output", required=True, metavar="DIR|s3://BUCKET/PREFIX")
    batch.add_argument("--motion", action="append", metavar="NAME", help="as for animate")
    batch.add_argument("--format", choices=("gif", "webp", "apng", "mp4"), default="gif")
    batch.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="processes of this machine; without it, Celery's workers where ANIMATION_JOBS=celery, "
        "else as many as there are cores",
    )
    batch.add_argument(
        "--share", type=_share, default=(0, 1), metavar="I/N", help="only the I-th of N shares, from 0 on"
    )
    _add_look(batch)
    batch.set_defaults(run=_batch)

    render = commands.add_parser("render", help="render a character folder, AnimatedDrawings' or our own")
    render.add_argument("character", type=Path, metavar="CHARACTER_DIR")
    render.add_argument("--motion", required=True, metavar="NAME|CONFIG.yaml|FILE.bvh")
    render.add_argument("--retarget", type=Path, metavar="CONFIG.yaml", help="a retarget configuration")
    render.add_argument("-o", "--output", type=Path, required=True, metavar=_OUTPUT)
    render.add_argument("--dump", type=Path, metavar="OUT.npz", help="also write what was computed")
    _add_look(render)
    render.set_defaults(run=_render)

    scene = commands.add_parser(
        "scene", help="render a scene file of AnimatedDrawings: several characters, a background"
    )
    scene.add_argument("scene", type=Path, metavar="MVC.yaml")
    scene.add_argument(
        "-o", "--output", type=Path, metavar=_OUTPUT, help="instead of the file that the scene names"
    )
    scene.set_defaults(run=_scene)

    add_keys_command(commands)

    doctor = commands.add_parser(
        "doctor", help="say what is configured, whether each part answers, and how to mend what does not"
    )
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=_positive, metavar="N", help="over the same duration")
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


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, came {text!r}")
    return int(text)


def _share(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N - 1, came {text!r}")
    return int(index), int(count)


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.partition("x")
    return _positive(width), _positive(height if x else width)


if __name__ == "__main__":
    sys.exit(main())
