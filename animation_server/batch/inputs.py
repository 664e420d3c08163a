"""Which drawings a batch is of, and what each is called in the output."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
    Names follow the place in the folder that was given, and do not depend on the machine; only drawings at
    the same place in several folders are told apart by what was given. Raises InputError where a path is
    not there, or nothing is found at all.
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
    return sorted(
        (BatchInput(file, name) for file, name in zip(found, name_all(found), strict=True)),
        key=lambda item: item.name,
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


def name_all(found: Mapping[Path, Path]) -> list[str]:
    """Make a key for each file of its place; those that would be equal get a digest behind.

    found : file, as it was given -> its place. The digest is the place's, or the file's where that does not
    tell them apart.
    """
    plain = names = [_plain_name(place) for place in found.values()]
    for told_by in (found.values(), found.keys()):
        counts = Counter(name.lower() for name in names)  # some file systems do not tell cases apart
        names = [
            name if counts[name.lower()] == 1 else f"{begin}-{_digest(path)}"
            for name, begin, path in zip(names, plain, told_by, strict=True)
        ]
    return names


def _plain_name(place: Path) -> str:
    return "/".join(_UNFIT.sub("_", part).lstrip("_.-") or "drawing" for part in place.with_suffix("").parts)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.as_posix().encode()).hexdigest()[:_DIGEST_DIGITS]
