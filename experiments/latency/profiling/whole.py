"""Whole networks, timed as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import onnx
from torch import nn

from amc.devices import own_threads
from amc.export import onnx_model
from amc.graph import Kept
from amc.modules import Inputs, shapes
from experiments.latency import clock, commanded
from experiments.latency.profiling.measuring import payload, runtime_of
from experiments.latency.profiling.program import from_onnx
from experiments.latency.profiling.templates import Template
from experiments.settings import COMMAND


def export_network(model: nn.Module, inputs: Inputs, runtime: str) -> bytes:
    """A network in the form that a runtime is given; the shapes of `inputs` are fixed in it.

    Raises:
        ImportError: without the extra `onnx`.
    """
    made = onnx_model(model, inputs)
    if form := runtime_of(runtime).form_of_model:
        return form(made)
    return payload(from_onnx(made, _weights(made)), runtime)


def _weights(model: onnx.ModelProto) -> list[str]:
    values = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    return [name for name, value in values.items() if value.ndim and value.dtype == np.float32]


def time_networks(
    models: Sequence[nn.Module], inputs: Inputs, runtime: str, threads: int, asked: str = ""
) -> tuple[list[clock.Timing], float]:
    """Time networks against each other, in turns, each twice.

    Args:
        models: In any mode; left as they are.
        inputs: Of their forward passes, in the batch that they are timed at.
        runtime: Short name, or a command.
        threads: That it may use.
        asked: The runtime that a person typed: a command that only a table names is not run.

    Returns:
        Of each network the mean of both timings, and the median relative difference of the two:
        the noise.

    Raises:
        ImportError: without the extra `onnx`.
        ValueError: for a command that nobody typed.
        CommandError: for one that gives no time.
    """
    payloads = [export_network(model, inputs, runtime) for model in models]
    return in_turns(payloads, runtime, threads, asked)


_KEPT: WeakKeyDictionary[nn.Module, dict[tuple[str, str], bytes]] = WeakKeyDictionary()


def export_unpruned(model: nn.Module, inputs: Inputs, runtime: str) -> bytes:
    """As `export_network`, once for a network that stays as it is while others are pruned."""
    known = _KEPT.setdefault(model, {})
    key = (runtime, shapes(inputs))
    if key not in known:
        known[key] = export_network(model, inputs, runtime)
    return known[key]


class Gauge:
    """Times a network at any kept counts on this machine, whole, against the unpruned one.

    Args:
        template: Of the network.
        runtime: See `time_networks`.
        threads: That it may use.
        asked: See `time_networks`.
    """

    def __init__(self, template: Template, runtime: str, threads: int, asked: str = "") -> None:
        self._template, self._runtime, self._threads = template, runtime, threads
        self._asked = asked

    def __call__(self, kept: Kept) -> Callable[[], tuple[list[clock.Timing], float]]:
        """What gives times of the unpruned and of the pruned network, and the noise."""
        programs = (self._template.at(self._template.graph.full), self._template.at(kept))
        payloads = [payload(program, self._runtime) for program in programs]
        return partial(in_turns, payloads, self._runtime, self._threads, self._asked)


def in_turns(
    payloads: Sequence[bytes], runtime: str, threads: int, asked: str
) -> tuple[list[clock.Timing], float]:
    """As `time_networks`, of networks that `export_network` made."""
    if runtime.startswith(COMMAND) and runtime != asked:
        raise ValueError(
            f"the latency table names {runtime}, and a file alone cannot ask for a command; where "
            "you trust it, give it as --runtime"
        )
    if command := commanded.Command.of(runtime, threads):
        return _by_command(payloads, command)
    names = [f"{number} {time}" for number in range(len(payloads)) for time in ("first", "second")]

    def ready(name: str) -> clock.Run:
        return clock.load(runtime, payloads[int(name.split()[0])], threads)

    with own_threads():
        found, _ = clock.measure(names, ready, names[0])
    return _pairs([[found[f"{n} first"], found[f"{n} second"]] for n in range(len(payloads))])


def _by_command(
    payloads: Sequence[bytes], command: commanded.Command
) -> tuple[list[clock.Timing], float]:
    turns = [
        [commanded.timed(command, "a whole network", payload) for payload in payloads]
        for _ in range(2)
    ]
    return _pairs([list(pair) for pair in zip(*turns, strict=True)])


def _pairs(pairs: Sequence[Sequence[clock.Timing]]) -> tuple[list[clock.Timing], float]:
    noise = float(np.median([abs(a["seconds"] / b["seconds"] - 1) for a, b in pairs]))
    return [_mean(pair) for pair in pairs], noise


def _mean(pair: Sequence[clock.Timing]) -> clock.Timing:
    return {
        "seconds": sum(one["seconds"] for one in pair) / len(pair),
        "spread": max(one["spread"] for one in pair),
        "typical": sum(one["typical"] for one in pair) / len(pair),
    }
