"""What one check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from animation_server.errors import AnimationError

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    state : warn where the service works, yet worse than it could. words : what is there, or what is wrong.
    mend : what to do about it, empty where nothing need be done.
    """

    part: str
    state: State
    words: str
    mend: str = ""


def ok(part: str, words: str) -> Finding:
    """Make a finding that all is well."""
    return Finding(part, "ok", words)


def tried(part: str, examine: Callable[[], Finding], mend: str) -> Finding:
    """Return what a check finds; an error that it raises is the finding, mended as `mend` says."""
    try:
        return examine()
    except (AnimationError, OSError) as exc:
        return Finding(part, "fail", " ".join(str(exc).split()), mend)
