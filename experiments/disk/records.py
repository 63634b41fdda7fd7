"""Plain data from a file as data classes, each part held against its type and its range."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

LONGEST = 40
"""Characters of a value in a message."""


@dataclass(frozen=True)
class Range:
    """What a number must be, as in `Annotated[float, Range(0, 1)]`.

    Args:
        low: The least it may be.
        high: The most.
    """

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"{self.low:g} or more"
        return f"from {self.low:g} to {self.high:g}"


MOST = 1e30
"""Of any amount: what is more is no cost and no time."""

Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0, MOST)]
Positive = Annotated[float, Range(1 / MOST, MOST)]
Rank = Annotated[float, Range(-1 - 1e-9, 1 + 1e-9)]  # Sums of floats end beside 1.
Count = Annotated[int, Range(0, MOST)]
Some = Annotated[int, Range(1, MOST)]


def record(kind: type[T], data: object, at: str = "", *, others: bool = False) -> T:
    """A data class from what JSON or YAML gave, with those inside it.

    Args:
        kind: The class. Its fields are numbers (finite ones), texts, truth values, tuples, mappings
            from texts, data classes, unions of these and what is `Any`.
        data: A mapping with its fields; those with a default may be left out.
        at: Where that stands, for messages.
        others: Pass over what is no field, in this class and none inside.

    Raises:
        ValueError: naming the first part that is missing, unknown, of another type or out of its
            range; or as the class itself refuses it.
    """
    if not isinstance(data, Mapping):
        raise _wrong(at or "it", data, "named values")
    hints = _hints(kind)  # type: ignore[arg-type]
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in known and not others:
            raise ValueError(f"{_inside(at, str(name))} is not known")
    for name, item in known.items():
        if name not in data and item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"{_inside(at, name)} is missing")
    given = {name: data[name] for name in known if name in data}
    return kind(**{name: _part(hints[name], given[name], _inside(at, name)) for name in given})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _inside(at: str, name: str) -> str:
    told = name if name.isidentifier() else _shortened(repr(name))
    return f"{at}.{told}" if at else told


def _part(hint: Any, value: Any, at: str) -> Any:
    """The value as its type hint has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        return _ranged(inner[0], inner[1], value, at)
    if origin in (Union, UnionType):
        return _either(inner, value, at)
    if origin is tuple:
        return _several(inner[0], value, at)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _named(inner[1], value, at)
    if is_dataclass(hint):
        return record(hint, value, at)  # type: ignore[arg-type]
    words, read = PLAIN[hint]
    try:
        return read(value)
    except (OverflowError, TypeError, ValueError):
        raise _wrong(at, value, words) from None


def _ranged(hint: Any, allowed: Range, value: Any, at: str) -> Any:
    made = _part(hint, value, at)
    if made not in allowed:
        raise _wrong(at, value, str(allowed))
    return made


def _either(hints: tuple[Any, ...], value: Any, at: str) -> Any:
    """As the first of the hints that it suits has it; else the last one says what is wrong."""
    if value is None and NoneType in hints:
        return None
    first, *others = (hint for hint in hints if hint is not NoneType)
    if not others:
        return _part(first, value, at)
    try:
        return _part(first, value, at)
    except ValueError:
        return _either(tuple(others), value, at)


def _several(hint: Any, value: Any, at: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(at, value, "a list")
    return tuple(_part(hint, item, f"{at}[{number}]") for number, item in enumerate(value))


def _named(hint: Any, value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(at, value, "named values")
    for name in value:
        _part(str, name, f"a name in {at}")
    return {name: _part(hint, item, _inside(at, name)) for name, item in value.items()}


def _wrong(at: str, value: object, wanted: str) -> ValueError:
    try:
        shown = json.dumps(value)
    except (TypeError, ValueError):
        shown = repr(value)
    return ValueError(f"{at} is {_shortened(shown)}; it must be {wanted}")


def _shortened(shown: str) -> str:
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not math.isfinite(value):
        raise ValueError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode("utf-8")  # JSON can write halves of letters.
    return value


PLAIN: dict[Any, tuple[str, Callable[[Any], Any]]] = {
    bool: ("true or false", _truth),
    int: ("a whole number", _whole),
    float: ("a finite number", _number),
    str: ("a text", _text),
}
"""What a part can be: in words, and how it is read."""
