"""The commands that need no server: annotate, animate, render and scene."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from animation_server.cli.looks import add_look, format_of, load_motion, look_of, require_own_names
from animation_server.cli.output import progress_bar, writing

if TYPE_CHECKING:
    from animation_server.clip import EncodedClip
    from animation_server.motion.library import Motion

OUTPUT = "OUT.gif|.webp|.png|.mp4"


def add_drawing_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the commands of animation-server."""
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
    add_look(animate)
    animate.set_defaults(run=_animate)

    render = commands.add_parser("render", help="render a character folder, AnimatedDrawings' or our own")
    render.add_argument("character", type=Path, metavar="CHARACTER_DIR")
    render.add_argument("--motion", required=True, metavar="NAME|CONFIG.yaml|FILE.bvh")
    render.add_argument("--retarget", type=Path, metavar="CONFIG.yaml", help="a retarget configuration")
    render.add_argument("-o", "--output", type=Path, required=True, metavar=OUTPUT)
    render.add_argument(
        "--dump",
        type=Path,
        metavar="OUT.npz",
        help="also write what was computed for all the motion's frames",
    )
    add_look(render)
    render.set_defaults(run=_render)

    scene = commands.add_parser(
        "scene", help="render a scene file of AnimatedDrawings: several characters, a background"
    )
    scene.add_argument("scene", type=Path, metavar="MVC.yaml")
    scene.add_argument(
        "-o", "--output", type=Path, metavar=OUTPUT, help="instead of the file that the scene names"
    )
    scene.set_defaults(run=_scene)


def _annotate(arguments: argparse.Namespace) -> int:
    from animation_server.annotation_folder import write_annotation
    from animation_server.one_shot import annotate_every_figure, annotate_image, read_image
    from animation_server.settings import Settings

    image, settings = read_image(arguments.image), Settings.from_environ()
    annotations = (
        annotate_every_figure(image, settings) if arguments.all else [annotate_image(image, settings)]
    )
    with writing(arguments.output):
        for number, annotation in enumerate(annotations, 1):
            folder = arguments.output / f"figure_{number}" if arguments.all else arguments.output
            write_annotation(annotation, folder)
    return 0


def _animate(arguments: argparse.Namespace) -> int:
    from animation_server.clip import EXTENSIONS
    from animation_server.files.atomic import write_atomically
    from animation_server.one_shot import animate_every_figure, animate_image, read_image
    from animation_server.settings import Settings

    settings = Settings.from_environ()
    options, picture = look_of(arguments, (settings.size, settings.size), arguments.format)
    motions = [load_motion(name) for name in dict.fromkeys(arguments.motion or settings.motions)]
    if arguments.figures != "all":  # those make one clip together
        require_own_names(motions)
    image = read_image(arguments.image)

    def write(name: str, clip: EncodedClip) -> None:
        # made only now, for nothing is to be left behind by an image that is refused
        arguments.output.mkdir(parents=True, exist_ok=True)
        write_atomically(arguments.output / f"{name}.{EXTENSIONS[options.format]}", clip.data)

    def write_motion(motion: Motion, clip: EncodedClip) -> None:
        write(motion.name, clip)

    with writing(arguments.output):
        if arguments.figures == "all":
            with progress_bar(1) as progress:
                write("sheet", animate_every_figure(image, settings, motions, options, progress))
        else:
            with progress_bar(len(motions)) as progress:
                animate_image(image, settings, motions, options, write_motion, progress, picture)
    return 0


def _render(arguments: argparse.Namespace) -> int:
    from animation_server.character import read_character
    from animation_server.files.atomic import write_atomically
    from animation_server.one_shot import render_with_dump

    output: Path = arguments.output
    options, picture = look_of(arguments, (400, 400), format_of(output))
    motion = load_motion(arguments.motion, arguments.retarget)
    character = read_character(arguments.character)
    with progress_bar(1) as progress:
        clip, dump = render_with_dump(character, motion, options, progress, picture)
    if arguments.dump:
        with writing(arguments.dump):
            write_atomically(arguments.dump, dump())
    with writing(output):
        write_atomically(output, clip.data)
    return 0


def _scene(arguments: argparse.Namespace) -> int:
    from animation_server.files.atomic import write_atomically
    from animation_server.scene.config import load_scene_config
    from animation_server.scene.scene import render_scene

    config = load_scene_config(arguments.scene)
    output: Path = arguments.output or config.output
    name = format_of(output)
    with progress_bar(1) as progress:
        clip = render_scene(config, name, progress)
    with writing(output):
        write_atomically(output, clip.data)
    return 0
