"""The types of settings: how the text of a variable is read as one, and how they are told to people."""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any, Literal

from pydantic import SecretStr

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def parse(text: str, hint: Any, field: dataclasses.Field[Any]) -> Any:
    """Turn the text of a variable into the field's type; ValueError says what was expected."""
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        if text not in choices:
            raise ValueError(type_name(hint))
        return text
    if typing.get_origin(hint) is tuple:
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if field.default and not names:
            raise ValueError("at least one name")
        return names
    if hint in (int, float):
        return _parse_number(text, hint, field.metadata["minimum"], field.metadata["maximum"])
    if hint is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(type_name(hint))
        return text.lower() in _TRUE
    return hint(text)


def type_name(hint: Any) -> str:
    """Say what a setting of a type takes."""
    if typing.get_origin(hint) is Literal:
        return " or ".join(typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return "names"
    return {int: "a whole number", float: "a number", bool: "true or false", SecretStr: "a secret"}.get(
        hint, "text"
    )


def show(default: Any) -> str:
    """Write a default as a variable's text; never a secret."""
    if isinstance(default, SecretStr):
        return ""
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def _parse_number(text: str, hint: type[int] | type[float], minimum: float, maximum: float) -> float:
    expected = type_name(hint)
    if minimum > -math.inf:
        expected += f" of at least {minimum:g}"
    if maximum < math.inf:
        expected += f" and at most {maximum:.0f}"
    try:
        value = hint(text)
    except ValueError:
        raise ValueError(expected) from None
    if not minimum <= value <= maximum or math.isinf(value):
        raise ValueError(expected)
    return value
