"""YAML from files that others wrote: plain values and Python tuples, nothing that runs code.

What a file may cost is bounded by its length and by how many values it stands for: with aliases a few lines
can stand for billions, which whoever checks or shows them walks through one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from animation_server.errors import InputError

_MAX_BYTES = 1 << 18  # AnimatedDrawings' largest configuration has 3 kB
_MAX_VALUES = 100_000
# What PyYAML's constructors raise, beside its own errors, on scalars that are not what their tag or shape
# says: dates that do not exist, numbers with thousands of digits, keys that cannot be hashed, and so on.
_BAD_SCALARS = (ValueError, TypeError, OverflowError, LookupError, AttributeError)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader. Reads `!!python/tuple` too; refuses repeated keys and what costs too much."""

    def get_single_node(self) -> yaml.Node | None:
        """Compose the document. What its aliases make of it is counted before anything is constructed."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _count_values(node, {})
        return node

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


def _count_values(node: yaml.Node, counted: dict[int, int]) -> int:
    """Count the values below a node, each alias as all that it stands for."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = (
            _MAX_VALUES + 1
        )  # for as long as it is being counted: who meets it goes in circles
        pairs = isinstance(node, yaml.MappingNode)
        children = [child for pair in node.value for child in pair] if pairs else node.value
        counted[id(node)] = 1 + sum(_count_values(child, counted) for child in children)
    if counted[id(node)] > _MAX_VALUES:
        raise yaml.constructor.ConstructorError(
            None, None, f"expected at most {_MAX_VALUES} values, came more", node.start_mark
        )
    return counted[id(node)]


def _construct_tuple(loader: yaml.SafeLoader, node: yaml.Node) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(
            None, None, "expected a sequence after !!python/tuple", node.start_mark
        )
    return tuple(loader.construct_sequence(node, deep=True))


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """Build an int that fits 64 bits: longer ones cannot become floats, nor be shown in an error."""
    value: int = loader.construct_yaml_int(node)
    if value.bit_length() > 63:
        raise yaml.constructor.ConstructorError(
            None, None, "expected whole numbers of at most 64 bits", node.start_mark
        )
    return value


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def load_yaml(path: Path) -> Any:
    """Read a YAML file as plain values (dict, list, tuple, str, int, float, bool, None, date).

    Raises InputError when the file cannot be read, is longer than 256 KiB, or is not YAML; its message names
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
    except (yaml.YAMLError, *_BAD_SCALARS) as exc:
        raise InputError(f"{source}: not readable as YAML: {exc}", code="bad_config") from exc
    except RecursionError as exc:
        raise InputError(f"{source}: nested too deeply for a configuration", code="bad_config") from exc
