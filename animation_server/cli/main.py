"""What the command line is made of, and how its failures end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from animation_server.cli.batch import add_batch_command
from animation_server.cli.drawings import add_drawing_commands
from animation_server.cli.keys import add_keys_command
from animation_server.cli.operations import add_operator_commands
from animation_server.errors import AnimationError, DependencyError, SettingsError

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animation-server",
        description="Animates drawings. Settings are environment variables that start with ANIMATION_; "
        "the README lists them.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_operator_commands(commands)
    add_drawing_commands(commands)
    add_batch_command(commands)
    add_keys_command(commands)
    return parser
