"""Type hints of settings taken apart, and put into words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Interval

from experiments.settings.kinds import Says, Typed

TYPES = {
    dict: "named settings, as in --options.NAME VALUE",
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    tuple: "texts, separated by commas",
}
"""In words; all else is a text."""


@dataclass(frozen=True)
class Hint:
    """One hint.

    Args:
        kinds: Plain types that it allows.
        choices: Texts, where it allows only these.
        interval: Of a number.
        says: What is wanted, where that has words of its own.
        way: To type it; see `Typed`.
    """

    kinds: tuple[Any, ...]
    choices: tuple[str, ...] = ()
    interval: Interval | None = None
    says: str = ""
    way: str = "flag"

    @property
    def type_words(self) -> str:
        """What the type is, in words."""
        if self.choices and int not in self.kinds:
            return self.range_words
        return next((words for kind, words in TYPES.items() if kind in self.kinds), "a text")

    @property
    def range_words(self) -> str:
        """What the range is, in words."""
        if self.says:
            return self.says
        if len(self.choices) > 2:
            return "one of " + ", ".join(self.choices)
        if self.choices:
            return " or ".join(self.choices)
        return _interval_words(self.interval) if self.interval else self.type_words


def _interval_words(span: Interval) -> str:
    low: Any = span.gt if span.ge is None else span.ge
    high: Any = span.lt if span.le is None else span.le
    if span.ge is not None and span.le is not None:
        return f"{low:,} to {high:,}"
    first = f"{low:,} or more" if span.ge is not None else f"above {low:,}"
    if high is None:
        return first
    comma = "," if span.ge is not None else ""
    return f"{first}{comma} and {'up to' if span.le is not None else 'below'} {high:,}"


def hint_from(annotation: Any) -> Hint:
    """A type hint as plain parts."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base, more = hint_from(inner[0]), inner[1:]
        return Hint(
            base.kinds,
            base.choices,
            next((one for one in more if isinstance(one, Interval)), base.interval),
            next((one.words for one in more if isinstance(one, Says)), base.says),
            next((one.way for one in more if isinstance(one, Typed)), base.way),
        )
    if origin in (Union, UnionType):
        parts = [hint_from(one) for one in inner if one is not NoneType]
        none = (NoneType,) if NoneType in inner else ()
        return Hint(
            tuple(kind for part in parts for kind in part.kinds) + none,
            tuple(choice for part in parts for choice in part.choices),
            next((part.interval for part in parts if part.interval), None),
            next((part.says for part in parts if part.says), ""),
            parts[0].way,
        )
    if origin is Literal:
        return Hint((str,), inner)
    return Hint((origin or annotation,))


@cache
def annotations_of(kind: Any) -> dict[str, Any]:
    """Of a data class's own fields, with their ranges."""
    known = get_type_hints(kind, include_extras=True)
    return {item.name: known[item.name] for item in fields(kind)}
