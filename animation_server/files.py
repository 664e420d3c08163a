"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PUBLIC_MODE = 0o644
"""Temporary files are the owner's alone; finished ones may be read by others, who may serve them."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, then rename: the file appears whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".put-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), PUBLIC_MODE)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
