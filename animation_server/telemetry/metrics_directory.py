"""The directory in which the processes of one server, or of one worker, share their numbers.

prometheus_client decides when it is imported whether it shares, so this module imports nothing of it, and
`share_numbers` comes before everything that does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (only asked whether it is there)


def share_numbers() -> Path:
    """Let this process and those forked from it share their numbers; returns where, for `forget`."""
    parent = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    directory = tempfile.mkdtemp(prefix="animation-metrics-", dir=parent)
    os.environ[_VARIABLE] = directory
    return Path(directory)


def shared_directory() -> Path | None:
    """Return where the numbers are shared, None where they are not."""
    directory = os.environ.get(_VARIABLE)
    return Path(directory) if directory else None


def forget(directory: Path) -> None:
    """Remove the numbers with the server that they are of."""
    os.environ.pop(_VARIABLE, None)
    shutil.rmtree(directory, ignore_errors=True)
