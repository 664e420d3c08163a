"""The command batch."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from animation_server.cli.libraries import LIBRARIES
from animation_server.cli.looks import (
    add_look,
    is_file,
    load_motion,
    look_of,
    positive,
    require_own_names,
)


def add_batch_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the commands of animation-server."""
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
        type=positive,
        metavar="N",
        help="processes of this machine; without it, Celery's workers where ANIMATION_JOBS=celery, "
        "else as many as there are cores",
    )
    batch.add_argument(
        "--share", type=_share, default=(0, 1), metavar="I/N", help="only the I-th of N shares, from 0 on"
    )
    add_look(batch)
    batch.set_defaults(run=_batch)


def _batch(arguments: argparse.Namespace) -> int:
    os.environ.update({**LIBRARIES, **os.environ})  # for the processes that are started

    from animation_server.batch.command import run_batch
    from animation_server.batch.inputs import find_inputs, take_share
    from animation_server.batch.plan import BatchPlan
    from animation_server.settings import Settings

    settings = Settings.from_environ()
    options, picture = look_of(arguments, (settings.size, settings.size), arguments.format)
    named = dict.fromkeys(arguments.motion or settings.motions)
    motions = tuple(Path(name).resolve() if is_file(name) else name for name in named)
    require_own_names(map(load_motion, named))  # says what is wrong before anything else starts
    plan = BatchPlan(motions, options, arguments.output, settings, picture)
    items = take_share(find_inputs(arguments.inputs, plan.folder), *arguments.share)
    return run_batch(plan, items, arguments.workers)


def _share(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N - 1, came {text!r}")
    return int(index), int(count)
