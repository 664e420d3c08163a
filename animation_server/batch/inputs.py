"""Which drawings a batch is of, and what each is called in the output."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from animation_server.errors import InputError

SUFFIXES = (".heic", ".heif", ".jpeg", ".jpg", ".png", ".webp")
"""Of the files that are taken from a folder. A file that is named itself may be called anything."""

_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
_DIGEST_DIGITS = 8


@dataclass(frozen=True)
class BatchInput:
    """One drawing.

    path : of its file. name : of its folder in the output, a key of plain names between slashes.
    """

    path: Path
    name: str


def find_inputs(arguments: Sequence[Path], output: Path | None = None) -> list[BatchInput]:
    """Find the drawings among files and folders, in the same order every time.

    output : a folder whose files are no inputs, should it lie within one.
    Names follow the place in the folder that was given, and do not depend on the machine. Raises InputError
    where a path is not there, or nothing is found at all.
    """
    found: dict[Path, Path] = {}  # file -> what it is named by
    for argument in arguments:
        if argument.is_dir():
            found |= {file: file.relative_to(argument) for file in _drawings_below(argument, output)}
        elif argument.is_file():
            found[argument] = Path(argument.name)
        else:
            raise InputError(f"{argument}: expected a file or a folder of drawings, there is none")
    if not found:
        raise InputError(
            f"{', '.join(map(str, arguments))}: expected drawings, found no {', '.join(SUFFIXES)}"
        )
    names = name_all(found.values())
    return sorted(
        (BatchInput(file, name) for file, name in zip(found, names, strict=True)), key=lambda item: item.name
    )


def take_share(inputs: Sequence[BatchInput], index: int, count: int) -> list[BatchInput]:
    """Return one of `count` shares, which differ by one drawing at most; index : 0 to count - 1."""
    return list(inputs[index::count])


def _drawings_below(folder: Path, output: Path | None) -> list[Path]:
    excluded = output.resolve() if output is not None else None
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
        and not (excluded is not None and file.resolve().is_relative_to(excluded))
    )


def name_all(places: Iterable[Path]) -> list[str]:
    """Make each place a key; those that would be equal get a digest of their place behind."""
    places = list(places)
    plain = [_plain_name(place) for place in places]
    counts = Counter(name.lower() for name in plain)  # some file systems do not tell cases apart
    return [
        name if counts[name.lower()] == 1 else f"{name}-{_digest(place)}"
        for name, place in zip(plain, places, strict=True)
    ]


def _plain_name(place: Path) -> str:
    return "/".join(_UNFIT.sub("_", part).lstrip("_.-") or "drawing" for part in place.with_suffix("").parts)


def _digest(place: Path) -> str:
    return hashlib.sha256(place.as_posix().encode()).hexdigest()[:_DIGEST_DIGITS]
