"""From text to values, and what is said of text that is none."""

from amc.parsing.checks import check
from amc.parsing.json_text import read_json
from amc.parsing.moved import tell_moved
from amc.parsing.names import look_up
from amc.parsing.on_demand import on_demand
from amc.parsing.plain import (
    MOST,
    Amount,
    AsText,
    Count,
    Number,
    Positive,
    Rank,
    Share,
    Some,
    read_record,
)
from amc.parsing.quantities import digits, quantity_of, readable, scale

__all__ = [
    "MOST",
    "Amount",
    "AsText",
    "Count",
    "Number",
    "Positive",
    "Rank",
    "Share",
    "Some",
    "check",
    "digits",
    "look_up",
    "on_demand",
    "quantity_of",
    "read_json",
    "read_record",
    "readable",
    "scale",
    "tell_moved",
]
