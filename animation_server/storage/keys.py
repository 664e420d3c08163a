"""Storage keys: computed from everything that decides what an animation looks like, and from nothing else.

An animation's key is `<folder>/<motion>-<rendition>.<format>`. What was made from one drawing lies in one
folder, so that it can be found and deleted together; a character's own files lie in `characters/<folder>`.

Ids are rights: who knows the id of a drawing or character may delete what was made of it. Folders are hashes
of ids, so that links, which are passed on, give no such right away. Drawings' ids are hashes, too: who lacks
the image's very bytes (and the salt, where one is set) cannot guess them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping

DRAWING_DIGITS = 32
RENDITION_DIGITS = 24
"""Hexadecimal digits kept: 128 bits for the drawing, which must not be guessed, 96 within it."""

_ID = re.compile(f"[0-9a-f]{{{DRAWING_DIGITS}}}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


def drawing_id(image: bytes, salt: str = "") -> str:
    """Name a drawing by its file's bytes."""
    return hmac.new(salt.encode(), hashlib.sha256(image).digest(), hashlib.sha256).hexdigest()[
        :DRAWING_DIGITS
    ]


def drawing_folder(drawing: str) -> str:
    """Name the folder of what was made from a drawing."""
    return _folder("drawing", drawing)


def character_folder(character: str) -> str:
    """Name the folder of a character's own files."""
    return "characters/" + _folder("character", character)


def is_id(text: str) -> bool:
    """Tell whether a text could be the id of a drawing or a character."""
    return _ID.fullmatch(text) is not None


def animation_key(folder: str, motion: str, rendition: Mapping[str, object], extension: str) -> str:
    """Name one animation of a drawing.

    folder : as drawing_folder gives it. motion : the motion's name. extension : of the file, without a dot.
    rendition : JSON-like values that decide the result: the motion's content, options, versions.
    Raises ValueError where the names do not make a key.
    """
    canonical = json.dumps([motion, rendition], sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256(f"{folder}\n{canonical}".encode()).hexdigest()[:RENDITION_DIGITS]
    key = f"{folder}/{motion}-{digest}.{extension}"
    check_key(key)
    return key


def _folder(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}\n{name}".encode()).hexdigest()[:DRAWING_DIGITS]


def check_key(key: str) -> None:
    """Raise ValueError unless the key is of plain names between slashes: no dots in front, nothing empty."""
    if not is_key(key):
        # Without the key: the text may end up in a log.
        raise ValueError("key: expected names of letters, digits, '_', '.' and '-', came something else")


def is_key(text: str) -> bool:
    """Tell whether a text could be a key; what leads out of a folder never is."""
    return len(text) <= 512 and _KEY.fullmatch(text) is not None
