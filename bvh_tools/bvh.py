"""BVH files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bvh_tools.bvh_parser import parse_bvh
from bvh_tools.bvh_writer import format_bvh
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError

MAX_BYTES = 100_000_000
"""Largest file that is read; an hour of motion capture is half as large."""


def read_bvh(path: str | os.PathLike[str]) -> Clip:
    """Read a BVH file.

    Raises BvhError for a file that is not whole and well-formed or is larger than MAX_BYTES, OSError as open
    does.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BvhError(f"{path}: expected at most {MAX_BYTES} bytes, the file is longer; cut it in pieces")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # only names can hold such bytes; latin-1 reads any of them
    return parse_bvh(text, source=str(path))


def write_bvh(clip: Clip, path: str | os.PathLike[str]) -> None:
    """Write a BVH file at once or not at all: to a file beside it that then takes its name."""
    write_atomically(format_bvh(clip).encode(), path)


def write_atomically(data: bytes, path: str | os.PathLike[str]) -> None:
    """Write bytes to a temporary file in the same folder, then rename it to `path`."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files private
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
