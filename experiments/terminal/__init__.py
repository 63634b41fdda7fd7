"""What a person reads while a command works: formats, progress, Ctrl-C."""

from experiments.terminal import formats
from experiments.terminal.ctrl_c import INTERRUPTED, leave, stopped_in_time
from experiments.terminal.formats import (
    MISSING,
    accuracy,
    cost_name,
    count,
    duration,
    listed,
    measure,
    milliseconds,
    percent,
    printable,
    shortened,
)
from experiments.terminal.progress import Reporter

__all__ = [
    "INTERRUPTED",
    "MISSING",
    "Reporter",
    "accuracy",
    "cost_name",
    "count",
    "duration",
    "formats",
    "leave",
    "listed",
    "measure",
    "milliseconds",
    "percent",
    "printable",
    "shortened",
    "stopped_in_time",
]
