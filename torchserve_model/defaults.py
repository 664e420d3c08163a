"""Which version of each model requests go to, kept beside the archives, so that a restart knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = "default-versions.json"


def read_defaults(store: Path) -> dict[str, str]:
    """Return the recorded versions by the models' names; none where none was recorded."""
    path = store / FILE
    if not path.exists():
        return {}
    try:
        return {str(name): str(version) for name, version in json.loads(path.read_text()).items()}
    except (ValueError, AttributeError) as exc:
        raise ValueError(
            f"{path}: want an object of models' names and versions, got something else; remove it"
        ) from exc


def record_defaults(store: Path, versions: Mapping[str, str]) -> None:
    """Record versions, all of them or none; other models' stay as they are."""
    partial = store / f"{FILE}.partial"
    partial.write_text(json.dumps(read_defaults(store) | dict(versions)) + "\n")
    partial.replace(store / FILE)
