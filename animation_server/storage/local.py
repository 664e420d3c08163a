"""Objects as files in a directory, served by the app itself."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from animation_server.errors import StorageError
from animation_server.files.atomic import create_atomically, write_atomically
from animation_server.storage.keys import check_key, is_key


class LocalStore:
    """Keeps objects below a directory; implements ObjectStore.

    directory : made when the first object is stored. base_url : address under which `/objects/` is served.
    """

    def __init__(self, directory: Path, base_url: str) -> None:
        self.directory = directory.absolute()
        self._base_url = base_url.rstrip("/")

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str,  # noqa: ARG002 (told by the key's extension)
        timeout_s: float | None = None,  # noqa: ARG002
    ) -> None:
        """See ObjectStore."""
        with self._storing(key) as path:
            write_atomically(path, data)

    def create(
        self,
        key: str,
        data: bytes,
        content_type: str,  # noqa: ARG002 (told by the key's extension)
        timeout_s: float | None = None,  # noqa: ARG002
    ) -> bool:
        """See ObjectStore."""
        with self._storing(key) as path:
            return create_atomically(path, data)

    def get(self, key: str, timeout_s: float | None = None) -> bytes | None:  # noqa: ARG002
        """See ObjectStore."""
        path = self._path(key)
        with self._translated("read from"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def exists(self, keys: Sequence[str], timeout_s: float | None = None) -> list[bool]:  # noqa: ARG002
        """See ObjectStore."""
        paths = [self._path(key) for key in keys]
        with self._translated("look into"):
            return [path.is_file() for path in paths]

    def list_keys(self, folder: str, timeout_s: float | None = None) -> list[str]:  # noqa: ARG002
        """See ObjectStore."""
        path = self._path(folder)
        with self._translated("list what is in"):
            files = [path for path in path.rglob("*") if path.is_file()]
        keys = (path.relative_to(self.directory).as_posix() for path in files)
        return sorted(key for key in keys if is_key(key))  # half-written ones have names that are none

    def delete(self, keys: Iterable[str], timeout_s: float | None = None) -> None:  # noqa: ARG002
        """See ObjectStore; folders that this leaves empty go, too."""
        for key in keys:
            path = self._path(key)
            with self._translated("delete from"):
                try:
                    path.unlink(missing_ok=True)
                    for folder in path.relative_to(self.directory).parents[:-1]:
                        (self.directory / folder).rmdir()
                except OSError as exc:
                    if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
                        raise

    def url(self, key: str) -> str:
        """See ObjectStore."""
        check_key(key)
        return f"{self._base_url}/objects/{key}"

    @property
    def url_life_s(self) -> None:
        """See ObjectStore."""
        return

    def check(self) -> None:
        """See ObjectStore."""
        with self._translated("write to"):
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory) as file:
                file.write(b"x")

    def close(self) -> None:
        """See ObjectStore."""

    @contextmanager
    def _storing(self, key: str) -> Iterator[Path]:
        """Give the path of a key, whose folder is there."""
        path = self._path(key)
        with self._translated("store in"):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn OSErrors into StorageErrors, without the object's path: keys are not for logs."""
        try:
            yield
        except OSError as exc:
            raise StorageError(
                f"cannot {doing} {self.directory}: {exc.strerror or type(exc).__name__}"
            ) from exc

    def _path(self, key: str) -> Path:
        check_key(key)
        return self.directory / key
