"""The renderer of the bundled motions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

import animation_server
import bvh_tools
from animation_server.animate import AnimationOptions
from animation_server.annotate import Annotation
from animation_server.character import Character
from animation_server.clip import EncodedClip, Progress
from animation_server.drawing import Drawing
from animation_server.motion.library import Motion, list_motions
from animation_server.rendering import PreparedCharacter, prepare_character, render_motion
from animation_server.sample import sample_character
from animation_server.scene.sheet import Sheet, prepare_sheet
from animation_server.service.renderer import MotionInfo

# What decides how a frame looks: the packages and modules whose source makes the renderer's version.
_PARTS = (
    "animate.py", "annotate.py", "character.py", "clip.py", "drawing.py", "quadratic.py", "rendering.py",
    "sample.py", "segment.py", "encode", "motion", "render", "rig", "scene",
)  # fmt: skip


class LibraryRenderer:
    """Renders the bundled motions; implements Renderer."""

    @property
    def version(self) -> str:
        """See Renderer; a digest of the source that draws, so that no one need remember to raise a number."""
        return _source_digest()

    @cached_property
    def motions(self) -> Mapping[str, MotionInfo]:
        """See Renderer."""
        return {
            motion.name: MotionInfo(motion.name, motion.n_frames, motion.duration, motion_digest(motion))
            for motion in self._library.values()
        }

    def prepare(self, character: Character) -> PreparedCharacter:
        """See Renderer."""
        return prepare_character(character)

    def prepare_on_sheet(self, drawing: Drawing, annotation: Annotation) -> Sheet:
        """See Renderer."""
        return prepare_sheet(drawing, [annotation])

    def render(
        self,
        prepared: PreparedCharacter | Sheet,
        motion: str,
        options: AnimationOptions,
        progress: Progress | None = None,
    ) -> EncodedClip:
        """See Renderer. progress : called after each frame."""
        return render_motion(prepared, self._library[motion], options, progress)

    def warm_up(self) -> None:
        """See Renderer."""
        prepared = self.prepare(sample_character())
        motion = min(self.motions.values(), key=lambda m: m.frames)
        self.render(prepared, motion.name, AnimationOptions(size=(64, 64), max_frames=4))

    @cached_property
    def _library(self) -> Mapping[str, Motion]:
        return {motion.name: motion for motion in list_motions()}


def motion_digest(motion: Motion) -> str:
    """Digest everything that decides how a motion moves; the same wherever its files lie."""
    clip = motion.clip
    # Paths differ from machine to machine; what they lead to is digested itself.
    config = replace(motion.config, filepath=Path(), retarget=None)
    digest = hashlib.sha256(repr((clip.skeleton.names, clip.frame_time, config, motion.retarget)).encode())
    for array in (clip.skeleton.parents, clip.skeleton.offsets, clip.translations, clip.rotations):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _source_digest() -> str:
    package = Path(animation_server.__file__).parent
    files = [file for part in _PARTS for file in (package / part).rglob("*.py")]
    files += [package / part for part in _PARTS if part.endswith(".py")]
    files += [Path(__file__), *Path(bvh_tools.__file__).parent.rglob("*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
