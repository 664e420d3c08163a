"""Where objects are kept: a local directory or S3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

CACHE_CONTROL = "public, max-age=31536000, immutable"
"""A key names its content, so what is behind it never changes."""


class ObjectStore(Protocol):
    """Keeps objects under keys of the form `folder/name.gif`. Every method raises StorageError on failure.

    timeout_s : longest wait for the answer where the store's own is longer; None for the store's own.
    """

    def put(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> None:
        """Store an object; readers see all of it or nothing."""
        ...

    def create(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> bool:
        """Store an object unless there is one already; tell whether it was stored.

        Of several callers one gets True. AWS and the local store hold to that at any time; servers that look
        at If-None-Match before they write, and not while, may tell two of them so in the same instant.
        """
        ...

    def get(self, key: str, timeout_s: float | None = None) -> bytes | None:
        """Read an object; None where there is none."""
        ...

    def exists(self, keys: Sequence[str], timeout_s: float | None = None) -> list[bool]:
        """Tell for each key whether an object is there; asked side by side."""
        ...

    def list_keys(self, folder: str, timeout_s: float | None = None) -> list[str]:
        """Name the keys of all objects below a folder, in order; empty where there are none."""
        ...

    def delete(self, keys: Iterable[str], timeout_s: float | None = None) -> None:
        """Delete objects; those that are not there are no error."""
        ...

    def url(self, key: str) -> str:
        """Name the address from which a client fetches the object."""
        ...

    @property
    def url_life_s(self) -> float | None:
        """Seconds until an address expires; None where it does not."""
        ...

    def check(self) -> None:
        """Return when objects can be stored; raise StorageError otherwise."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
