"""Compiled kernels that come with an image: made when it is built, found when it runs.

python -m animation_server.kernel_cache      compiles what clips of every kind need

Numba looks for its cache only where it may write. An image's file system is often read-only, so the image
names `SeededCacheLocator` to Numba, and what was compiled is copied to a folder that can be written to. With
NUMBA_CPU_NAME set, what one machine compiled fits every machine of that level.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from numba.core.caching import UserProvidedCacheLocator

SEED_VARIABLE = "NUMBA_CACHE_SEED"
"""Names the folder with the compiled kernels; Numba's own NUMBA_CACHE_DIR the one they are copied to."""


class SeededCacheLocator(UserProvidedCacheLocator):
    """Numba's cache in NUMBA_CACHE_DIR, which begins as a copy of the folder that SEED_VARIABLE names."""

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> SeededCacheLocator | None:
        """Numba's hook: None where this locator cannot be used, which lets Numba try its next one."""
        locator: SeededCacheLocator | None = super().from_function(py_func, py_file)  # type: ignore[no-untyped-call]
        if locator is not None and (seed := os.environ.get(SEED_VARIABLE)):
            folder = Path(locator.get_cache_path())  # type: ignore[no-untyped-call]
            copy_missing(Path(seed) / folder.name, folder)
        return locator


def copy_missing(source: Path, target: Path) -> None:
    """Copy the files that `target` lacks; safe where several processes do so at once."""
    if not source.is_dir():
        return
    there = {file.name for file in target.iterdir()}
    # An index is read before its data, so the data has to be there first.
    for file in sorted(source.iterdir(), key=lambda path: path.suffix == ".nbi"):
        if file.name not in there:
            with tempfile.NamedTemporaryFile(dir=target, delete=False) as copy:
                copy.write(file.read_bytes())
            Path(copy.name).replace(target / file.name)


def compile_kernels() -> None:
    """Render a small clip of every kind, which compiles every kernel there is a use for."""
    from animation_server.animate import AnimationOptions
    from animation_server.annotate import Annotation
    from animation_server.clip import EXTENSIONS
    from animation_server.motion.library import list_motions
    from animation_server.rendering import prepare_character, render_motion
    from animation_server.sample import sample_character, sample_drawing
    from animation_server.scene.sheet import prepare_sheet

    motion = min(list_motions(), key=lambda motion: motion.n_frames)
    character, drawing = sample_character(), sample_drawing()
    rows, columns = character.texture.shape[:2]
    left, top = (drawing.width - columns) / 2, (drawing.height - rows) / 2
    box = (left, top, left + columns, top + rows)
    annotation = Annotation(character, drawing.width, drawing.height, box, 1.0, {}, 1.0, (left, top))
    puppet, sheet = prepare_character(character), prepare_sheet(drawing, [annotation])
    small = AnimationOptions(size=(96, 96), max_frames=4)
    for name in EXTENSIONS:
        options = replace(small, format=name)
        render_motion(puppet, motion, options)
        render_motion(puppet, motion, replace(options, background=(255, 255, 255)))
        render_motion(sheet, motion, replace(options, background="sheet"))
    render_motion(puppet, motion, small, picture=drawing.rgb)


if __name__ == "__main__":
    compile_kernels()
