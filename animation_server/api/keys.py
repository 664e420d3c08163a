"""API keys: made at random, kept as hashes in a file that may change while the server runs.

The file has one line a key: its holder's name and the key's hash; `#` begins a comment.

    mobile-app sha256:9c56cc51...  # 2026-11-20

Several lines may have the same name, so that a key is rotated without a gap: add the new one, hand it out,
remove the old one. A key carries 256 random bits, so a plain SHA-256 keeps it: there is nothing to guess that
a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from animation_server.errors import InputError, SettingsError
from animation_server.files.atomic import write_atomically

log = logging.getLogger(__name__)

PREFIX = "animate_"
"""Begins every key, so that scanners for leaked secrets can know it."""

_RANDOM_BYTES = 32
_MAX_KEY_LENGTH = 200
_MAX_FILE_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class ApiKey:
    """What the server knows of one key: who holds it, and `sha256:` with the hash in hexadecimal digits."""

    name: str
    digest: str


class KeyRing:
    """The keys of a file, read again whenever the file changes.

    A change is taken whole or not at all: while the file is missing or broken, the last good keys hold and
    the log says so. Raises SettingsError where it is broken at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _state_of(path)
        self._keys = read_keys(path)

    def holder_of(self, offered: str) -> str | None:
        """Return the name of the key's holder, None where there is no such key."""
        self._refresh()
        if len(offered) > _MAX_KEY_LENGTH:
            return None
        digest = _digest(offered)
        found = None
        for key in self._keys:  # all of them, whichever fits: the time taken tells nothing
            if hmac.compare_digest(key.digest, digest):
                found = key.name
        return found

    def _refresh(self) -> None:
        state = _state_of(self._path)
        if state == self._seen:
            return
        # Noted before it is read: a file that changes in between is read once more, next time.
        self._seen = state
        try:
            self._keys = read_keys(self._path)
        except SettingsError as exc:
            log.error("API keys not readable, the last good ones hold", extra={"reason": str(exc)})
        else:
            log.info("API keys read", extra={"keys": len(self._keys)})


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Read a file of keys. Raises SettingsError, naming the line, where it is unreadable or holds no key."""
    try:
        data = path.read_bytes()[: _MAX_FILE_BYTES + 1]
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path}: expected a file of API keys, cannot read it: {exc}") from exc
    if len(data) > _MAX_FILE_BYTES:
        raise SettingsError(
            f"{path}: expected API keys in at most {_MAX_FILE_BYTES} bytes, the file is longer"
        )
    keys = tuple(_parse_lines(text, path))
    if not keys:
        raise SettingsError(
            f"{path}: expected API keys, came none; make one with: animation-server keys new NAME"
        )
    return keys


def add_key(path: Path, name: str) -> str:
    """Make a key for `name`, append its hash to the file, which is made where it is missing; return the key.

    The key itself is kept nowhere. Raises InputError for a name that does not fit, or a file that is broken.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"name: expected up to 64 letters, digits, '_', '.' and '-', came {name[:80]!r}")
    text = _read_text(path)
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    if text and not text.endswith("\n"):
        text += "\n"
    _write_text(path, f"{text}{name} {_digest(key)}  # {datetime.now(UTC).date()}\n")
    return key


def remove_keys(path: Path, name: str) -> int:
    """Take all keys of `name` out of the file; return how many there were.

    Raises InputError where they are the only ones, for a file without keys would not be believed.
    """
    lines = _read_text(path).splitlines(keepends=True)
    left = [line for line in lines if line.split()[:1] != [name]]
    if not any(_parse_lines("".join(left), path)):
        raise InputError(
            f"{path}: these are the last keys. Make another first, or unset ANIMATION_API_KEYS_FILE to "
            "let everyone in"
        )
    _write_text(path, "".join(left))
    return len(lines) - len(left)


def _read_text(path: Path) -> str:
    """Return the text of a file that is missing, empty, or a good file of keys."""
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        tuple(_parse_lines(text, path))
    except (OSError, UnicodeDecodeError, SettingsError) as exc:
        raise InputError(f"{path}: cannot add to it: {exc}") from exc
    return text


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as exc:
        raise InputError(f"{path}: cannot write: {exc.strerror or exc}") from exc


def _parse_lines(text: str, path: Path) -> Iterator[ApiKey]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not _NAME.fullmatch(words[0]) or not _DIGEST.fullmatch(words[1]):
            # What came is not shown: it may be a key that somebody pasted here.
            raise SettingsError(f"{path}:{number}: expected NAME sha256:HEX, came something else")
        yield ApiKey(*words)


def _digest(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file does, or a link's target; None where it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
