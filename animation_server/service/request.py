"""What callers ask the service for, and what they get."""

from __future__ import annotations

from dataclasses import dataclass, field

from animation_server.animate import AnimationOptions
from animation_server.service.character_record import StoredCharacter


@dataclass(frozen=True)
class AnimationRequest:
    """What a caller asks for: an image file's bytes, names of motions without duplicates, and the look."""

    image: bytes
    motions: tuple[str, ...]
    options: AnimationOptions


@dataclass(frozen=True)
class CharacterAnimationRequest:
    """The same for a character that is kept: its id instead of an image."""

    character: str
    motions: tuple[str, ...]
    options: AnimationOptions


@dataclass(frozen=True)
class AnimationResult:
    """What the caller gets.

    id : names the drawing, the same for the same file; or the character that was asked for.
    urls : motion -> address. keys : motion -> key in the store.
    stages_s : seconds of work by stage, over all threads; empty where everything was stored already.
    """

    id: str
    urls: dict[str, str]
    stages_s: dict[str, float] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CharacterResult:
    """A character that was made, and seconds of work by stage."""

    character: StoredCharacter
    stages_s: dict[str, float]
