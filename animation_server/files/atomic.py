"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PUBLIC_MODE = 0o644
"""Temporary files are the owner's alone; finished ones may be read by others, who may serve them."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, then rename: the file appears whole or not at all."""
    with _written(path, data) as temporary:
        temporary.replace(path)


def create_atomically(path: Path, data: bytes) -> bool:
    """Do the same unless the file is there; tell whether it was written."""
    with _written(path, data) as temporary:
        try:
            path.hardlink_to(temporary)  # which, unlike a rename, replaces nothing
        except FileExistsError:
            return False
        return True


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """Give a file beside the target with the data in it; removed where it is still there at the end."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".put-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), PUBLIC_MODE)
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
