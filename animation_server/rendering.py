"""Characters set in motion: retarget, deform, draw, encode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions, animate_puppet, prepare
from animation_server.character import Character
from animation_server.clip import EncodedClip, Progress
from animation_server.motion.library import Motion
from animation_server.motion.retarget import RetargetResult, retarget
from animation_server.render.puppet import Puppet
from animation_server.scene.sheet import Sheet, animate_sheet
from animation_server.telemetry.stages import stage


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
