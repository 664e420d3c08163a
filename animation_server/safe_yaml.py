"""YAML from files that others wrote: plain values and Python tuples, nothing that runs code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from animation_server.errors import InputError

_MAX_BYTES = 1 << 20  # AnimatedDrawings' largest configuration has 3 kB


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which reads `!!python/tuple` too and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a dict. PyYAML keeps the last of two equal keys in silence; a misprint, so an error here."""
        mapping: dict[Any, Any] = {}
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key_node.value!r} stands twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        mapping.update(super().construct_mapping(node, deep=deep))
        return mapping


def _construct_tuple(loader: yaml.SafeLoader, node: yaml.Node) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(
            None, None, "expected a sequence after !!python/tuple", node.start_mark
        )
    return tuple(loader.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)


def load_yaml(path: Path) -> Any:
    """Read a YAML file as plain values (dict, list, tuple, str, int, float, bool, None, date).

    Raises InputError when the file cannot be read, is longer than 1 MiB, or is not YAML; its message names
    the line.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path}: cannot read it: {exc.strerror}", code="unreadable_file") from exc
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path}: expected a configuration of at most {_MAX_BYTES} bytes, got {len(data)}")
    return parse_yaml(data.decode("utf-8", errors="replace"), source=str(path))


def parse_yaml(text: str, source: str = "YAML text") -> Any:
    """Parse YAML text as plain values.

    source : what to call the text in errors, such as its path.
    Raises InputError for text that is not YAML, or holds tags other than `!!python/tuple`.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as exc:
        raise InputError(f"{source}: not readable as YAML: {exc}", code="bad_config") from exc
    except RecursionError as exc:
        raise InputError(f"{source}: nested too deeply for a configuration", code="bad_config") from exc
