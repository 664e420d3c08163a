"""Objects as files in a directory, served by the app itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from animation_server.errors import StorageError
from animation_server.files import write_atomically
from animation_server.storage.keys import check_key


class LocalStore:
    """Keeps objects below a directory; implements ObjectStore.

    directory : made when the first object is stored. base_url : address under which `/objects/` is served.
    """

    def __init__(self, directory: Path, base_url: str) -> None:
        self.directory = directory.absolute()
        self._base_url = base_url.rstrip("/")

    def put(self, key: str, data: bytes, content_type: str) -> None:  # noqa: ARG002 (told by the key's extension)
        """See ObjectStore."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError as exc:
            raise StorageError(f"cannot store {path}: {exc.strerror or exc}") from exc

    def exists(self, key: str) -> bool:
        """See ObjectStore."""
        return self._path(key).is_file()

    def url(self, key: str) -> str:
        """See ObjectStore."""
        check_key(key)
        return f"{self._base_url}/objects/{key}"

    def check(self) -> None:
        """See ObjectStore."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory) as file:
                file.write(b"x")
        except OSError as exc:
            raise StorageError(f"cannot write to {self.directory}: {exc.strerror or exc}") from exc

    def close(self) -> None:
        """See ObjectStore."""

    def _path(self, key: str) -> Path:
        check_key(key)
        return self.directory / key
