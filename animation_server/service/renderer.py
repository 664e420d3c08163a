"""What the service asks of whoever draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from animation_server.animate import AnimationOptions
from animation_server.annotate import Annotation
from animation_server.character import Character
from animation_server.clip import EncodedClip, Progress
from animation_server.drawing import Drawing


@dataclass(frozen=True)
class MotionInfo:
    """One motion that can be asked for.

    frames, duration_s : of the whole clip, before frames are left out. digest : of everything that decides
    how it moves.
    """

    name: str
    frames: int
    duration_s: float
    digest: str


class Renderer(Protocol):
    """Turns characters into clips. Pure CPU work; safe to call from several threads."""

    @property
    def version(self) -> str:
        """Changes whenever the same character and motion may look different; part of every key."""
        ...

    @property
    def motions(self) -> Mapping[str, MotionInfo]:
        """Every motion by its name."""
        ...

    def prepare(self, character: Character) -> Any:
        """Do what all motions of a character share; `render` takes the result."""
        ...

    def prepare_on_sheet(self, drawing: Drawing, annotation: Annotation) -> Any:
        """Do the same for a figure that is animated on its own sheet."""
        ...

    def render(
        self, prepared: Any, motion: str, options: AnimationOptions, progress: Progress | None = None
    ) -> EncodedClip:
        """Render one motion of what was prepared.

        progress : called after each frame; what it raises ends the render.
        """
        ...

    def warm_up(self) -> None:
        """Compile and load what the first render would otherwise wait for."""
        ...
