"""YAML that others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from animation_server.errors import InputError
from animation_server.files.safe_yaml import load_yaml, parse_yaml


def test_python_tuples_are_read_as_tuples() -> None:
    """AnimatedDrawings' files tag pairs so."""
    assert parse_yaml("left: !!python/tuple\n- A\n- B\n") == {"left": ("A", "B")}
    assert parse_yaml("!!python/tuple [1, [2, null]]") == (1, [2, None])


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "!!python/tuple {a: 1}",
        "!!python/tuple 3",
        "a: [",
        "a: 1\nb: 2\na: 3",
        "[" * 5000,
    ],
)
def test_code_and_malformed_text_are_refused(text: str) -> None:
    """Nothing runs; a key given twice counts as malformed."""
    with pytest.raises(InputError, match="made-up"):
        parse_yaml(text, source="made-up")


def test_merged_keys_may_be_overridden() -> None:
    """YAML's own merge keys still work."""
    assert parse_yaml("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}")["b"] == {"k": 3, "l": 2}


def test_unreadable_and_oversized_files_are_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(InputError, match=r"none\.yaml: cannot read"):
        load_yaml(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_text("#" * (1 << 18) + "\n")
    with pytest.raises(InputError, match=r"big\.yaml: expected"):
        load_yaml(tmp_path / "big.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    assert load_yaml(tmp_path / "latin.yaml") == {"a": "�"}
