"""Configuration files: from YAML to checked values, with errors that name the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from animation_server.errors import InputError
from animation_server.files.safe_yaml import load_yaml

_Config = TypeVar("_Config")


def read_config(adapter: TypeAdapter[_Config], path: Path) -> _Config:
    """Read a YAML file as what `adapter` describes.

    Raises InputError when the file is unreadable, or a key is unknown, missing or of a wrong type.
    """
    values = load_yaml(path)
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected keys and values, got {type(values).__name__}", code="bad_config")
    try:
        return adapter.validate_python(values)
    except ValidationError as exc:
        raise InputError(f"{path}: {'; '.join(_explain(exc))}", code="bad_config") from exc


def find_file(file: Path, config_path: Path, key: str, base_dirs: Sequence[Path] = ()) -> Path:
    """Find a file that a configuration names.

    A relative path is looked for from the configuration's own folder, each folder above it, `base_dirs` and
    the current folder, in this order: AnimatedDrawings' files count from the root of its checkout.
    key : where in the configuration the file is named, for the error. Raises InputError where there is none.
    """
    for folder in (*config_path.resolve().parents, *base_dirs, Path.cwd()):
        path = folder / file  # an absolute file stays as it is
        with suppress(OSError):  # a name longer than any file system takes
            if path.is_file():
                return path
    raise InputError(
        f"{config_path}: {key}: expected a file, found no {file} from the configuration's folder and "
        f"those above it, {', '.join(str(d) for d in base_dirs) or 'no further folder'}, or {Path.cwd()}",
        code="unreadable_file",
    )


def _explain(exc: ValidationError) -> Iterator[str]:
    """One 'key.path: what was expected, what came' for each mistake, five at most."""
    errors = exc.errors(include_url=False)
    for error in errors[:5]:
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
        message = {
            "missing": "expected this key, it is missing",
            "unexpected_keyword_argument": "unknown key; mend its spelling or take it out",
        }.get(error["type"])
        if message is None:
            got = repr(error["input"])
            message = f"{error['msg'][:1].lower()}{error['msg'][1:]}, got {got[:60]}"
        yield f"{key.removeprefix('.')}: {message}"
    if len(errors) > 5:
        yield f"and {len(errors) - 5} more"
