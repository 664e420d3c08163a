"""Characters set in motion by the bundled motions: retarget, deform, draw, encode."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bvh_tools
from animation_server.animate import AnimationOptions, animate_puppet, prepare
from animation_server.annotate import Annotation
from animation_server.character import Character
from animation_server.clip import EncodedClip, Progress
from animation_server.drawing import Drawing
from animation_server.motion.library import Motion, list_motions
from animation_server.motion.retarget import RetargetResult, retarget
from animation_server.render.puppet import Puppet
from animation_server.renderer import MotionInfo
from animation_server.sample import sample_character
from animation_server.scene.sheet import Sheet, animate_sheet, prepare_sheet
from animation_server.stages import stage

# What decides how a frame looks: the packages and modules whose source makes the renderer's version.
_PARTS = (
    "animate.py", "annotate.py", "character.py", "clip.py", "drawing.py", "preview.py", "quadratic.py",
    "segment.py", "encode", "motion", "render", "rig", "scene",
)  # fmt: skip


def set_in_motion(character: Character, motion: Motion, frames: int | None = None) -> RetargetResult:
    """Retarget a motion onto a character; with `frames`, that many over the same duration."""
    height, width = character.texture.shape[:2]
    with stage("retarget"):
        motion = motion.resampled(frames) if frames else motion
        return retarget(motion.clip, motion.config, motion.retarget, character.skeleton, (height, width))


@dataclass(frozen=True)
class PreparedCharacter:
    """A character and the puppet made of it, which all its motions share."""

    character: Character
    puppet: Puppet


def render_motion(
    prepared: PreparedCharacter | Sheet,
    motion: Motion,
    options: AnimationOptions,
    progress: Progress | None = None,
    picture: NDArray[np.uint8] | None = None,
) -> EncodedClip:
    """Render one motion of a prepared character, or of the one figure of a sheet, where it was drawn.

    picture : behind a character, see `animate_puppet`; a sheet is its own background.
    """
    if isinstance(prepared, Sheet):
        (figure,) = prepared.figures
        moved = set_in_motion(figure.character, motion, options.frames)
        return animate_sheet(prepared, [moved.motion], options, progress)
    moved = set_in_motion(prepared.character, motion, options.frames)
    return animate_puppet(prepared.puppet, moved.motion, options, progress, picture)


def prepare_character(character: Character) -> PreparedCharacter:
    """Do what all motions of a character share."""
    return PreparedCharacter(character, prepare(character))


class LibraryRenderer:
    """Renders the bundled motions; implements pipeline.Renderer."""

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
    package = Path(__file__).parent
    files = [file for part in _PARTS for file in (package / part).rglob("*.py")]
    files += [package / part for part in _PARTS if part.endswith(".py")]
    files += [Path(__file__), *Path(bvh_tools.__file__).parent.rglob("*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
