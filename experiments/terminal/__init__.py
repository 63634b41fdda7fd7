"""What a person reads while a command works: formats, progress, Ctrl-C."""

from experiments.terminal import formats
from experiments.terminal.ctrl_c import INTERRUPTED, leave, stop_in_time
from experiments.terminal.formats import (
    MISSING,
    cost_name,
    count,
    duration,
    join_words,
    measure,
    milliseconds,
    percent,
    printable,
    scored,
    shorten,
)
from experiments.terminal.progress import Reporter
from experiments.terminal.waiting import TRACING, told_if_slow

__all__ = [
    "INTERRUPTED",
    "MISSING",
    "TRACING",
    "Reporter",
    "cost_name",
    "count",
    "duration",
    "formats",
    "join_words",
    "leave",
    "measure",
    "milliseconds",
    "percent",
    "printable",
    "scored",
    "shorten",
    "stop_in_time",
    "told_if_slow",
]
