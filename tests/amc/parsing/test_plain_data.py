"""Plain data as data classes, and what is said of data that is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from amc.granularity import Granularity
from amc.parsing import AsText, Share, Some, read_record
from amc.policy import Budget

CHANNELS = Granularity("channel")


@dataclass(frozen=True)
class Inner:
    name: str
    kept: Some


@dataclass(frozen=True)
class Outer:
    share: Share
    groups: tuple[Inner, ...]
    costs: Mapping[str, Inner] = field(default_factory=dict)
    maybe: Share | None = None
    budgets: tuple[Annotated[Budget, AsText(Budget.parse)], ...] = ()
    unit: Annotated[Granularity, AsText(Granularity.parse)] = CHANNELS
    anything: Any = None

    def __post_init__(self) -> None:
        if self.share == 0.25:
            raise ValueError("share is 0.25; take another")


GOOD: dict[str, Any] = {"share": 1, "groups": [{"name": "a", "kept": 1}]}


def test_data_becomes_what_the_hints_say() -> None:
    more = {"costs": {"b": {"name": "c", "kept": 2}}, "budgets": ["macs=50%"], "unit": "2:4"}
    made = read_record(Outer, {**GOOD, **more})
    assert made == Outer(
        1.0,
        (Inner("a", 1),),
        {"b": Inner("c", 2)},
        budgets=(Budget("macs", 0.5),),
        unit=Granularity("n:m", 2, 4),
    )
    assert isinstance(made.share, float)


def test_what_is_no_field_is_passed_over_where_that_is_asked_for() -> None:
    more = {"groups": [{"name": "a", "kept": 1, "more": 1}], "more": 1}
    assert read_record(Outer, {**GOOD, **more}, others=True) == read_record(Outer, GOOD)


WRONG: dict[str, tuple[object, str]] = {
    "a number": (3, "it is 3; it must be named values"),
    "nothing": ({}, "it.share is missing"),
    "more": ({**GOOD, "more": 1}, "it.more is not known"),
    "more inside": (
        {**GOOD, "groups": [{"name": "a", "kept": 1, "z": 1}]},
        "it.groups[0].z is not known",
    ),
    "truth": ({**GOOD, "share": True}, "it.share is true; it must be a finite number"),
    "nan": ({**GOOD, "share": math.nan}, "it.share is NaN; it must be a finite number"),
    "too much": ({**GOOD, "share": 2}, "it.share is 2; it must be 1 or less"),
    "endless": ({**GOOD, "share": 10**400}, "it.share is 1000"),
    "text": ({**GOOD, "maybe": "0.5"}, 'it.maybe is "0.5"; it must be a finite number'),
    "part": (
        {**GOOD, "groups": [{"name": "a", "kept": 1.0}]},
        "it.groups[0].kept is 1.0; it must be a whole number",
    ),
    "null": ({**GOOD, "groups": None}, "it.groups is null; it must be a list"),
    "odd name": (
        {**GOOD, "costs": {"a b": {"name": "a", "kept": 0}}},
        "it.costs.'a b'.kept is 0; it must be 1 or more",
    ),
    "half a letter": ({**GOOD, "costs": {"\ud800": 3}}, "it has half a letter"),
    "no data": ({**GOOD, "anything": {3}}, "it holds what is no plain data"),
    "by itself": ({**GOOD, "share": 0.25}, "share is 0.25; take another"),
    "no budget": ({**GOOD, "budgets": ["macs"]}, "budget 'macs' has the wrong form"),
    "budget": ({**GOOD, "budgets": [3]}, "it.budgets[0] is 3; it must be a text"),
    "unit": ({**GOOD, "unit": "atom"}, "unknown granularity 'atom'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_first_wrong_part_is_named_with_what_it_must_be(name: str) -> None:
    data, told = WRONG[name]
    with pytest.raises(ValueError, match=r"^.") as refused:
        read_record(Outer, data, "it")
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)
