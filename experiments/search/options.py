"""Options of strategies: what a person types, as the types that the strategies take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from amc.parsing import look_up


def plain_fields(settings: object) -> dict[str, Any]:
    """Those fields of a data class, with their values, that can be typed on a command line."""
    named = {item.name: getattr(settings, item.name) for item in fields(settings)}  # type: ignore[arg-type]
    return {name: value for name, value in named.items() if type(value) in TYPES}


def convert(known: Mapping[str, Any], options: Mapping[str, Any], strategy: str) -> dict[str, Any]:
    """The options, each turned into the type of its default.

    Args:
        known: Defaults by name.
        options: What was given.
        strategy: Whose they are, for messages.

    Raises:
        LookupError: for a name that is not known.
        ValueError: for a value of another type.
    """
    made = {}
    for name, value in options.items():
        words, convert = TYPES[type(look_up(known, name, f"option of {strategy}"))]
        try:
            made[name] = convert(value)
        except (KeyError, OverflowError, TypeError, ValueError):
            raise ValueError(
                f"--options.{name} is {value!r}; {strategy} needs {words} there"
            ) from None
    return made


def _truth(value: object) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


def number(value: Any) -> float:
    """A finite number; YAML hands over 1e-4 as a text.

    Raises:
        TypeError, ValueError: if it is none.
    """
    found = float(value)
    if isinstance(value, bool) or not math.isfinite(found):
        raise ValueError(f"{value!r} is not a finite number")
    return found


def _whole(value: Any) -> int:
    found = number(value)
    if found != int(found):
        raise ValueError(f"{value!r} is not whole")
    return int(found)


def _word(value: object) -> str:
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"{value!r} is not a word")
    return str(value)


TYPES: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bool: ("true or false", _truth),
    int: ("a whole number", _whole),
    float: ("a number", number),
    str: ("a word", _word),
}
"""What an option can be: in words, and how it is read."""
