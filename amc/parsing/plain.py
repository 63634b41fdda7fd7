"""Plain data from a file as data classes; pydantic holds each part against its hint.

It is imported where something is read, because `amc --help` and `import amc` do without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar

from annotated_types import Interval

T = TypeVar("T")

LONGEST = 40
"""Characters of a value in a message."""

MOST = 1e30
"""Of any amount: what is more is no cost and no time."""

Number = Annotated[float, Interval(ge=-MOST, le=MOST)]
Share = Annotated[float, Interval(ge=0, le=1)]
Amount = Annotated[float, Interval(ge=0, le=MOST)]
Positive = Annotated[float, Interval(ge=1 / MOST, le=MOST)]
Rank = Annotated[float, Interval(ge=-1 - 1e-9, le=1 + 1e-9)]  # Sums of floats end beside 1.
Count = Annotated[int, Interval(ge=0, le=10**30)]
Some = Annotated[int, Interval(ge=1, le=10**30)]

WORDS = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is not known",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a finite number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "named values",
    "mapping_type": "named values",
    "dataclass_type": "named values",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
}
"""What pydantic calls what is wrong, in words of ours; those with "is" follow the part's name."""


@dataclass(frozen=True)
class AsText:
    """For `Annotated`: plain data has such a value as a text.

    Args:
        read: The value that a text says.
    """

    read: Callable[[str], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """What pydantic asks an annotation for."""
        from pydantic_core import PydanticKnownError, core_schema

        def value_of(given: Any) -> Any:
            if isinstance(given, source):
                return given
            if not isinstance(given, str):
                raise PydanticKnownError("string_type")
            try:
                return self.read(given)
            except LookupError as error:
                raise ValueError(str(error)) from None

        return core_schema.no_info_plain_validator_function(value_of)


def read_record(kind: type[T], data: object, at: str = "", *, others: bool = False) -> T:
    """A data class from what JSON or YAML gave, with those inside it.

    Args:
        kind: The class. Its fields are numbers (finite ones), texts, truth values, tuples, mappings
            from texts, data classes, unions of these and what is `Any`.
        data: A mapping with its fields; those with a default may be left out.
        at: Where that stands, for messages.
        others: Pass over what is no field, in this class and in those inside.

    Raises:
        ValueError: naming the first part that is missing, unknown, of another type or out of its
            range; or as the class itself refuses it.
    """
    from pydantic import ValidationError

    plain: Any = kind
    try:
        # As JSON, where a list is a tuple and yet no text a number.
        (made,) = _adapter(plain, others).validate_json(json.dumps([data]))
    except ValidationError as error:
        raise ValueError(_sentence(error.errors(include_url=False)[0], at)) from None
    except (TypeError, RecursionError):
        raise ValueError(f"{at or 'it'} holds what is no plain data") from None
    return made  # type: ignore[no-any-return]


@cache
def _adapter(kind: Any, others: bool) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    extra: Any = "ignore" if others else "forbid"
    rules = ConfigDict(strict=True, allow_inf_nan=False, extra=extra)
    # In a list, because rules given beside a list hold for the data classes in it as well.
    return TypeAdapter(list[kind], config=rules)


def _sentence(found: Any, at: str) -> str:
    """One of pydantic's errors in a sentence."""
    place, kind = at, found["type"]
    for step in found["loc"][1:]:
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            name = step if step.isidentifier() else _shorten(repr(step))
            place += f".{name}" if place else name
    if kind == "json_invalid":
        return f"{at or 'it'} has half a letter (a lone surrogate)"
    if kind == "value_error":
        return str(found["ctx"]["error"])
    words = WORDS.get(kind, found["msg"]).format(**found.get("ctx", {}))
    if words.startswith("is "):
        return f"{place} {words}"
    shown = json.dumps(found["input"], default=repr)
    return f"{place or 'it'} is {_shorten(shown)}; it must be {words}"


def _shorten(shown: str) -> str:
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
