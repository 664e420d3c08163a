"""What several commands do with what they have made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from animation_server.errors import InputError

if TYPE_CHECKING:
    from animation_server.clip import Progress


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn failures to write what was asked for into one line."""
    try:
        yield
    except OSError as exc:
        raise InputError(f"{place}: cannot write: {exc.strerror or exc}") from exc


@contextmanager
def progress_bar(clips: int) -> Iterator[Progress]:
    """Show frames done on a terminal; nothing in a pipe."""
    from tqdm import tqdm

    adding = threading.Lock()
    with tqdm(total=0, unit="frame", desc=f"{clips} animation{'s' * (clips > 1)}", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            if done == 1:
                with adding:
                    bar.total = (bar.total or 0) + total
            bar.update(1)

        yield progress
