"""The commands animation-server keys new|remove|list."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from animation_server.errors import SettingsError


def add_keys_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys` to the commands of animation-server."""
    keys = commands.add_parser("keys", help="make, remove and list API keys")
    actions = keys.add_subparsers(metavar="ACTION", required=True)

    new = actions.add_parser("new", help="make a key, print it once, append its hash to the file")
    new.add_argument("name", metavar="NAME", help="who will hold it")
    new.set_defaults(run=_new)

    remove = actions.add_parser("remove", help="take all keys of a name out of the file")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=_remove)

    listing = actions.add_parser("list", help="print the names")
    listing.set_defaults(run=_list)

    for action in (new, remove, listing):
        action.add_argument(
            "--file", type=Path, metavar="FILE", help="default: that of ANIMATION_API_KEYS_FILE"
        )


def _new(arguments: argparse.Namespace) -> int:
    from animation_server.api.keys import add_key

    path = _file(arguments)
    key = add_key(path, arguments.name)
    sys.stdout.write(f"{key}\n")
    sys.stderr.write(
        f"This key is shown once. Its hash is in {path}; servers that use the file take it now.\n"
    )
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from animation_server.api.keys import remove_keys

    count = remove_keys(_file(arguments), arguments.name)
    sys.stdout.write(f"{count} removed\n")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from animation_server.api.keys import read_keys

    for key in read_keys(_file(arguments)):
        sys.stdout.write(f"{key.name}\n")
    return 0


def _file(arguments: argparse.Namespace) -> Path:
    from animation_server.settings import Settings

    named: Path | None = arguments.file
    if named is not None:
        return named
    path = Settings.from_environ().api_keys_file
    if not path:
        raise SettingsError("expected --file FILE, or ANIMATION_API_KEYS_FILE to be set; came neither")
    return Path(path)
