"""Storage keys: computed from everything that decides what an animation looks like, and from nothing else.

A key is `<drawing>/<motion>-<rendition>.<format>`. What was made from one drawing lies in one folder, so that
it can be found and deleted together. Both parts are hashes: who lacks the image's very bytes (and the salt,
where one is set) cannot guess them.
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

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


def drawing_id(image: bytes, salt: str = "") -> str:
    """Name a drawing by its file's bytes."""
    return hmac.new(salt.encode(), hashlib.sha256(image).digest(), hashlib.sha256).hexdigest()[
        :DRAWING_DIGITS
    ]


def animation_key(drawing: str, motion: str, rendition: Mapping[str, object], extension: str) -> str:
    """Name one animation of a drawing.

    drawing : as drawing_id gives it. motion : the motion's name. rendition : JSON-like values that decide the
    result: the motion's content, options, versions. extension : of the file, without a dot.
    Raises ValueError where the names do not make a key.
    """
    canonical = json.dumps([motion, rendition], sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256(f"{drawing}\n{canonical}".encode()).hexdigest()[:RENDITION_DIGITS]
    key = f"{drawing}/{motion}-{digest}.{extension}"
    check_key(key)
    return key


def check_key(key: str) -> None:
    """Raise ValueError unless the key is of plain names between slashes: no dots in front, nothing empty."""
    if not is_key(key):
        raise ValueError(f"key: expected names of letters, digits, '_', '.' and '-', came {key!r}")


def is_key(text: str) -> bool:
    """Tell whether a text could be a key; what leads out of a folder never is."""
    return len(text) <= 512 and _KEY.fullmatch(text) is not None
