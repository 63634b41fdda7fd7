"""Data classes that hold nothing but what their hints allow; pydantic says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar

from experiments.settings.hints import annotations_of, hint_from
from experiments.settings.mistakes import Mistake, WrongValue

OUT_OF_RANGE = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "finite_number",
        "predicate_failed",
        "literal_error",
    }
)
"""What pydantic calls a value of the right type that is wrong all the same."""


@dataclass(frozen=True)
class Checked:
    """Settings that are checked wherever they are made: by `dataclasses.replace` too.

    Raises:
        Mistake: for the first setting that is not what its hint allows.
    """

    def __post_init__(self) -> None:
        """Hold each setting against its hint; a default is right as it is."""
        for item in fields(self):
            value = getattr(self, item.name)
            by_default = value is item.default or (item.default_factory is dict and value == {})
            if not isinstance(value, Checked) and not by_default:
                object.__setattr__(self, item.name, _value(type(self), item.name, value))


@dataclass(frozen=True)
class Part(Checked):
    """Settings that several commands hold, with a section of their own in help."""

    section: ClassVar[str]


def _value(kind: type, name: str, value: object) -> Any:
    """The value as the field has it: a whole number as a float where that is wanted."""
    from pydantic import ValidationError

    try:
        (made,) = _adapter(kind, name).validate_python([value])
        return made
    except ValidationError as error:
        found = error.errors(include_url=False)
    hint = hint_from(annotations_of(kind)[name])
    refusal = next((one["ctx"]["error"] for one in found if one["type"] == "value_error"), None)
    if refusal is not None:
        raise Mistake(str(refusal))  # In words of its own.
    ranged = any(one["type"] in OUT_OF_RANGE for one in found) and not isinstance(value, bool)
    mistyped = isinstance(value, str) and str not in hint.kinds
    raise WrongValue(name, value, hint.range_words if ranged and not mistyped else hint.type_words)


@cache
def _adapter(kind: type, name: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    rules = ConfigDict(strict=True, allow_inf_nan=False)
    # In a list, because rules given beside a data class are refused.
    several: Any = list[annotations_of(kind)[name]]  # type: ignore[misc]
    return TypeAdapter(several, config=rules)
