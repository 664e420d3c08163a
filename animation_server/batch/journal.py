"""What of a batch is done: written beside the animations, so that a batch is resumed by starting it again.

Of every drawing a `done.json` is stored last, when its animations are there. It names what they were made of
and how; a drawing whose entry names something else is made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from animation_server.batch.inputs import BatchInput
from animation_server.errors import AnimationError, DependencyError
from animation_server.storage import ObjectStore

ENTRY = "done.json"

State = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What came of one drawing.

    state : "skipped" where it was done before. code, message : why it failed.
    may_pass : whether it failed for want of something that may come back.
    """

    item: BatchInput
    state: State
    code: str = ""
    message: str = ""
    may_pass: bool = False


def failure(item: BatchInput, exc: AnimationError) -> Outcome:
    """Tell of a drawing that failed."""
    return Outcome(item, "failed", exc.code, str(exc), isinstance(exc, DependencyError))


class Journal:
    """Reads and writes the entries of one output.

    recipe : JSON-like values that decide what becomes of a drawing: motions, options, versions.
    """

    def __init__(self, store: ObjectStore, recipe: Mapping[str, object]) -> None:
        self._store = store
        self._recipe = json.dumps(recipe, sort_keys=True)

    def digest(self, image: bytes) -> str:
        """Digest everything that decides what becomes of an image."""
        return hashlib.sha256(self._recipe.encode() + b"\n" + image).hexdigest()

    def is_done(self, item: BatchInput, digest: str) -> bool:
        """Tell whether the drawing was made of just that."""
        written = self._store.get(_key(item))
        if written is None:
            return False
        try:
            return bool(json.loads(written)["made_of"] == digest)
        except (ValueError, KeyError, TypeError):  # somebody else's file, or an older version's
            return False

    def write(self, item: BatchInput, digest: str, animations: Mapping[str, str]) -> None:
        """Note that a drawing is done; animations : motion -> file name."""
        entry = {"input": item.path.name, "made_of": digest, "animations": dict(animations)}
        self._store.put(_key(item), json.dumps(entry, indent=1).encode(), "application/json")


def _key(item: BatchInput) -> str:
    return f"{item.name}/{ENTRY}"
