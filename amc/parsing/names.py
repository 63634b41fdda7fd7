"""Short names in plain tables, with a helpful answer to a misspelt one."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def look_up(table: Mapping[str, T], name: str, kind: str) -> T:
    """The entry of `table` called `name`.

    Args:
        table: Short names and what they stand for.
        name: The name asked for; case matters.
        kind: What the table holds, in the singular ("model"), for the message.

    Raises:
        LookupError: if there is no such name; the message suggests the closest known name,
            where one is close, and lists all of them in the table's order.
    """
    if name in table:
        return table[name]
    raise LookupError(
        f"unknown {kind} {name!r}; {_suggestion(table, name)}known: {_choices(table)}"
    )


def _suggestion(table: Mapping[str, object], name: str) -> str:
    lower_case = {known.lower(): known for known in table}
    close = get_close_matches(name.lower(), lower_case, n=1)
    return f"did you mean {lower_case[close[0]]!r}? " if close else ""


def _choices(table: Mapping[str, object]) -> str:
    return ", ".join(table) or "none"
