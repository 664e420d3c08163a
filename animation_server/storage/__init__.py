"""Where objects are kept: a local directory or S3."""

from __future__ import annotations

from typing import Protocol

CACHE_CONTROL = "public, max-age=31536000, immutable"
"""A key names its content, so what is behind it never changes."""


class ObjectStore(Protocol):
    """Keeps objects under keys of the form `folder/name.gif`. Every method raises StorageError on failure."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object; readers see all of it or nothing."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether an object is there."""
        ...

    def url(self, key: str) -> str:
        """Name the address from which a client fetches the object."""
        ...

    def check(self) -> None:
        """Return when objects can be stored; raise StorageError otherwise."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
