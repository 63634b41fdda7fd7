"""What single settings may be: each range, choice and way to type it is declared here once.

`annotated_types` is what pydantic reads ranges from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Interval, Len, Predicate

from amc.parsing import AsText
from amc.policy import Budget


@dataclass(frozen=True)
class Says:
    """How a message puts what is wanted."""

    words: str


@dataclass(frozen=True)
class Typed:
    """How a setting is typed, where it is not as a flag with a value.

    "word" has no flag, "list" is separated by commas or given again, "switch" means true where
    nothing follows it, and "table" is --options.NAME VALUE.
    """

    way: Literal["word", "list", "switch", "table"]


def is_device(name: str) -> bool:
    """Whether this is one of `DEVICES`, there or not."""
    return bool(re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]*))?", name))


def is_shape(text: str) -> bool:
    """Whether these are sizes of one sample."""
    return all(size.strip().isdecimal() and int(size) > 0 for size in text.split(","))


def is_arguments(text: str) -> bool:
    """Whether this is name=value, several with commas; or nothing."""
    pairs = [one.partition("=") for one in text.split(",")] if text else []
    return all(name.strip().isidentifier() and mark for name, mark, _ in pairs)


DEVICES = "cpu, cuda, or a numbered GPU such as cuda:1"

LONGEST = 100_000
"""Epochs and episodes at most; more is a slip of the keyboard."""

AUTO: Literal["auto"] = "auto"
HARDWARE: Literal["hardware"] = "hardware"
"""What round_to can be beside a number."""

Schedule = Literal["one-shot", "linear", "cubic"]
"""The kinds that `amc.finetuning.schedule` knows."""

Objective = Literal["score", "tuned"]
"""What the candidate to take is best by."""

Optimizer = Literal["sgd", "adamw"]
"""Those that `amc.finetuning` knows."""

USUAL_RATES: Mapping[Optimizer, float] = {"sgd": 0.1, "adamw": 1e-3}
"""Their peak learning rates, as there: whoever reads settings does not wait for it."""

RUNTIMES = (
    *("onnxruntime", "onnxruntime-cuda", "onnxruntime-int8", "openvino", "openvino-int8"),
    *("torch", "torch-compile", "torch-cuda"),
)
"""That `amc profile` knows by name."""


COMMAND = "command:"
"""How a runtime begins that is a command of the user's."""


def is_runtime(text: str) -> bool:
    """Whether this is one of `RUNTIMES`, or a command of the user's."""
    return text in RUNTIMES or (text.startswith(COMMAND) and "{onnx}" in text)


Runtime = Annotated[
    str,
    Predicate(is_runtime),
    Says(f"{', '.join(RUNTIMES)}, or command:COMMAND with {{onnx}} in it"),
]

Text = Annotated[str, Len(1)]
Word = Annotated[str, Len(1), Typed("word")]
Words = Annotated[tuple[Text, ...], Len(1), Typed("word")]
Listed = Annotated[tuple[str, ...], Typed("list")]
Switch = Annotated[bool, Typed("switch")]
Table = Annotated[dict[str, Any], Typed("table")]

Budgets = Annotated[tuple[Annotated[Budget, AsText(Budget.parse)], ...], Typed("list")]

Natural = Annotated[int, Interval(ge=0)]
Some = Annotated[int, Interval(ge=1)]
Amount = Annotated[float, Interval(ge=0)]
Positive = Annotated[float, Interval(gt=0), Says("a number above 0")]
Share = Annotated[float, Interval(ge=0, le=1), Says("from 0 to 1")]
Fraction = Annotated[float, Interval(gt=0, le=1), Says("a fraction above 0 and up to 1")]
Inside = Annotated[float, Interval(gt=0, lt=1)]
Half = Annotated[float, Interval(ge=0, lt=0.5)]
Width = Annotated[float, Interval(gt=0, le=64)]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1), Says("0 to 4294967295")]
Seeds = Annotated[int, Interval(ge=1, le=1000), Says("1 or more, up to 1000")]
Epochs = Annotated[float, Interval(ge=0, le=LONGEST)]
Episodes = Annotated[int, Interval(ge=1, le=LONGEST), Says("1 or more, up to 100,000")]
Stages = Annotated[int, Interval(ge=1, le=1000)]
Batch = Annotated[int, Interval(ge=1, le=65_536)]
Threads = Annotated[int, Interval(ge=1, le=1024), Says("1 or more, up to 1024")]
Finalists = Annotated[int, Interval(ge=2, le=1000), Says("2 or more, up to 1000")]
Workers = Annotated[int, Interval(ge=1, le=1024), Says("1 or more, up to 1024")]
Port = Annotated[int, Interval(ge=0, le=65_535), Says("1 to 65535, or 0 for one that is free")]
Policies = Annotated[int, Interval(ge=3)]
Points = Annotated[int, Interval(ge=2, le=1000), Says("2 or more, up to 1000")]
Multiple = Annotated[Some | Literal["auto", "hardware"], Says("1 or more, auto or hardware")]
Blocks = Annotated[Some | Literal["auto"], Says("1 or more, or auto")]
Device = Annotated[str, Predicate(is_device), Says(DEVICES)]
Arguments = Annotated[
    str, Predicate(is_arguments), Says("name=value, several with commas: num_classes=10,drop=0.1")
]
Shape = Annotated[str, Predicate(is_shape), Says("whole numbers above 0, such as 3,224,224")]
