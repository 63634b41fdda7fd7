"""What a latency table changes about a problem: its costs, and which kept counts are legal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from torch import nn

from amc.costs import COSTS, Cost, Costs, Memory
from amc.costs.latency import (
    LATENCY,
    Device,
    Latency,
    LatencyTable,
    LatencyTableError,
    by_table,
    measured_counts,
    usual_counts,
    within_reach,
)
from amc.granularity import Granularity, Rounding
from amc.graph import Kept, PruningGraph
from amc.modules import Inputs, first_call, with_samples
from amc.problem import Measure
from amc.pruning import plain_copy
from experiments.latency import clock, commanded
from experiments.latency.outlook import outlook
from experiments.latency.semi_structured import SemiStructured, refusal, time_layers
from experiments.runs import Remeasured
from experiments.settings import (
    AUTO,
    COMMAND,
    HARDWARE,
    RUNTIMES,
    CommandSettings,
    CutSettings,
    ProfilingSettings,
    SearchingSettings,
)
from experiments.terminal import printable
from experiments.zoo import Workload

STEADY = 0.03
"""Noise up to which a network's time on this device is taken as it is."""

DOUBTED = 1.15
"""Times a prediction from which on a measured time is measured again."""

TRIES = 3
"""Of timing it, while there is more noise."""

Timed = tuple[Sequence[clock.Timing], float]
"""Times of the unpruned and of the pruned network, and the noise."""


@dataclass(frozen=True)
class Terms:
    """On which a network is pruned.

    Args:
        costs: That can be budgeted and are reported.
        rounding: Which kept counts are legal.
        notes: What to tell before a search.
    """

    costs: Costs
    rounding: Rounding
    notes: tuple[str, ...] = ()


def costs_of(cut: CutSettings, table: LatencyTable | None) -> Costs:
    """Every cost that can be told of a network, as the settings have it counted.

    Args:
        cut: The settings.
        table: Of latency, where there is one.
    """
    costs: Costs = {**COSTS, "memory": partial(Memory, batch=cut.memory_batch)}
    if table is None:
        return costs
    return {**costs, LATENCY: partial(Latency, table=table)}


def table_of(cut: CutSettings) -> LatencyTable | None:
    """The table that the settings name.

    Raises:
        FileNotFoundError, LatencyTableError: if it cannot be read.
    """
    return None if cut.latency is None else LatencyTable.load(cut.latency)


def terms_of(
    config: SearchingSettings, model: nn.Module, graph: PruningGraph, rounding: Rounding
) -> Terms:
    """Costs and legal counts of a search.

    A budget of latency, like `--round-to hardware` and, with a table, `auto`, leaves the counts of
    `by_table` legal; without a table `auto` leaves those of `in_blocks`.

    Args:
        config: The search's settings.
        model: The network.
        graph: What is pruned of it.
        rounding: Plain.

    Raises:
        FileNotFoundError: if there is no such table.
        LatencyTableError: if it is of another network.
        ValueError: where masks cannot save time.
    """
    cut, budgets = config.cut, config.problem.budget
    limited = any(budget.cost == LATENCY for budget in budgets)
    if limited and not graph.granularity.cuts:
        return Terms(
            {**COSTS, LATENCY: _latency_of_zeros(model, graph, cut.memory_batch)}, rounding
        )
    table, asked = table_of(cut), config.problem.round_to
    if table is None:
        costs, legal = costs_of(cut, None), rounding
        if asked == AUTO:
            legal = usual_counts(graph, rounding, budgets, costs)
        single = asked == 1 or (asked == AUTO and legal == rounding)
        told = single and within_reach(graph, legal, budgets, costs)
        return Terms(costs, legal, _single(asked, graph) if told else ())
    plain, costs = Latency(graph, table), costs_of(cut, table)
    if not graph.granularity.cuts:
        return Terms(costs, rounding, about_device(table, runtime_asked(config)))
    if asked in (AUTO, HARDWARE):
        rounding = measured_counts(table, graph, rounding)
    timed, fast = by_table(table, graph, rounding)
    edges = asked in (AUTO, HARDWARE)
    if asked == AUTO and not limited:
        edges = within_reach(graph, fast, budgets, {**costs, LATENCY: timed})
    plainly = Terms(costs, rounding)
    chosen = Terms({**costs, LATENCY: timed}, fast) if limited or edges else plainly
    expected = outlook(plain, graph, budgets, (rounding, fast), chosen.rounding)
    return replace(chosen, notes=(*about_device(table, runtime_asked(config)), *expected))


def _single(asked: int | str, graph: PruningGraph) -> tuple[str, ...]:
    """What single channels may cost, where they are legal."""
    if not graph.granularity.cuts:
        return ()
    why = "--round-to 1 allows every count of channels"
    if asked == AUTO:
        why = (
            "whole blocks of channels do not come down to the budget, so that every count is legal"
        )
    return (
        f"{why}; odd ones often take longer than the next multiple of 8, so that the network may "
        "become smaller and slower",
    )


def _latency_of_zeros(
    model: nn.Module, graph: PruningGraph, batch: int
) -> Callable[[PruningGraph], Cost]:
    """The latency of zeros, where they save any.

    Raises:
        ValueError: where they do not, with the reason.
    """
    if graph.granularity != Granularity("n:m", 2, 4):
        raise ValueError(refusal(f"this granularity is {graph.granularity}"))
    return partial(SemiStructured, times=time_layers(model, graph, batch))


def about_device(table: LatencyTable, runtime: str = "") -> tuple[str, ...]:
    """What to say where a table is of another machine or version than this one; often nothing.

    Args:
        table: Of the run.
        runtime: That the command names; what a table alone names is never run.
    """
    device = table.device
    if device.runtime.startswith(COMMAND):
        if device.runtime == runtime:
            return ()
        told = f"latency is what {printable(device.runtime)} told, which is not asked again here"
        way = f"; --runtime {printable(shlex.quote(device.runtime))} has the winner timed by it"
        return (told + (way if runtime else ""),)
    if device.runtime not in RUNTIMES:  # Never imported by a name that a file gives.
        raise LatencyTableError(
            f"the latency table is of the runtime {device.runtime!r}; known: {', '.join(RUNTIMES)}"
        )
    try:
        here = _here(device)
    except ImportError:
        return (f"latency is that on {device}, and {device.runtime} is not installed here",)
    if device == here:
        return ()
    if device == replace(here, revision="", instructions=""):
        return (
            f"latency is that on {device.processor}, but the table, of an earlier release, does "
            "not tell its revision; another one may be slower than this, so profile again",
        )
    differences = device.differences(here)
    return (f"latency is that on another device than this one: {'; '.join(differences)}",)


def _here(device: Device) -> Device:
    """This machine with the other's settings."""
    own = commanded.device(device.runtime, device.threads)
    return Device(**own, batch=device.batch, dtype=device.dtype)


def runtime_asked(config: CommandSettings) -> str:
    """The runtime that settings name; empty for those of commands that profile nothing."""
    given: ProfilingSettings | None = getattr(config, "profiling", None)
    return given.runtime if given else ""


def remeasure(
    table: LatencyTable,
    workload: Workload,
    network: nn.Module,
    predicted: float,
    runtime: str = "",
) -> Remeasured | None:
    """Time the unpruned and the pruned network, where the table is of this device.

    Args:
        table: Of the run.
        workload: With the unpruned network.
        network: The pruned one.
        predicted: Its latency by the table, in seconds.
        runtime: See `about_device`.

    Returns:
        None where the table is of another device.
    """
    if about_device(table, runtime):
        return None
    # Needs the extra `onnx`, which a table from elsewhere does without.
    from experiments.latency.profiling import export_network, export_unpruned, in_turns

    device, here = table.device, workload.on_processor
    inputs = with_samples(first_call(here.example), device.batch)
    payloads = [
        export_unpruned(here.model, inputs, device.runtime),
        export_network(plain_copy(network).cpu(), inputs, device.runtime),
    ]
    tries = (in_turns(payloads, device.runtime, device.threads, runtime) for _ in range(TRIES))
    (unpruned, pruned), noise = steadiest(tries)
    return Remeasured(
        unpruned["seconds"],
        pruned["seconds"],
        predicted,
        noise,
        unpruned_median=unpruned["typical"],
        pruned_median=pruned["typical"],
    )


def measures(
    config: SearchingSettings, workload: Workload, graph: PruningGraph, agreed: Terms
) -> dict[str, Measure]:
    """What measures latency where a budget of it is given and the table is of this device."""
    budget = next((one for one in config.problem.budget if one.cost == LATENCY), None)
    if budget is None or not graph.granularity.cuts:
        return {}
    table = table_of(config.cut)
    if table is None or about_device(table, runtime_asked(config)):
        return {}
    cost = agreed.costs[LATENCY](graph)
    full = cost(graph.full) if budget.relative else 0.0
    clocked = OnDevice(workload.on_processor, graph.channels, table, full)
    channels = len(graph.channels.groups)
    return {LATENCY: lambda kept: believable(lambda: clocked(kept[:channels]), cost(kept))}


def believable(clock: Callable[[], float], predicted: float) -> float:
    """Seconds by the clock; where they are far above what was predicted, the least of `TRIES`.

    Predictions are seldom so far off, and a machine that somebody else keeps busy for a moment is;
    a bound that is tightened for that costs units that are gone for good.

    Args:
        clock: Measures once.
        predicted: Seconds, by the table.
    """
    found = clock()
    for _ in range(TRIES - 1):
        if found <= DOUBTED * predicted:
            break
        found = min(found, clock())
    return found


def steadiest(tries: Iterable[Timed]) -> Timed:
    """The first without much noise; where there is none, that with the least."""
    seen = []
    for found in tries:
        seen.append(found)
        if found[-1] <= STEADY:
            break
    return min(seen, key=lambda found: found[-1])


def allowance(noise: float, usual: float) -> float:
    """What a time is multiplied by, so that what holds now holds when it is measured again.

    Args:
        noise: Relative, of this measurement.
        usual: Of measurements on this device.
    """
    # Beyond STEADY it is the machine that is slow for a while. In turns that meets the unpruned
    # network as much, so that their ratio is far surer; and units that went for the sake of one
    # busy hour are gone for good. The noise of the last measurement is told instead.
    return 1 + min(STEADY, max(noise, usual))


class OnDevice:
    """Seconds of the network at kept counts by the clock; see `amc.problem.Problem.limits_at`.

    Noise is added, so that what holds here holds when it is measured again.

    Args:
        workload: With the unpruned network.
        graph: Its decisions.
        table: Of this device.
        full: What the unpruned network counts as: its time meanwhile becomes the unit. 0 for plain
            seconds.
    """

    def __init__(
        self, workload: Workload, graph: PruningGraph, table: LatencyTable, full: float
    ) -> None:
        self._workload, self._graph, self._table, self._full = workload, graph, table, full

    def __call__(self, kept: Kept) -> float:
        """Seconds."""
        timed = self._gauge(kept) if all(kept) else self._without_branches(kept)
        (unpruned, pruned), noise = steadiest(timed() for _ in range(TRIES))
        slowest = pruned["seconds"] * allowance(noise, self._table.fit.noise)
        return slowest / unpruned["seconds"] * self._full if self._full else slowest

    @cached_property
    def _gauge(self) -> Callable[[Kept], Callable[[], Timed]]:
        # Needs the extra `onnx`, which a table from elsewhere does without.
        from experiments.latency.profiling import Gauge, template

        device = self._table.device
        found = template(self._workload.model, self._graph, self._inputs)
        return Gauge(found, device.runtime, device.threads, device.runtime)

    def _without_branches(self, kept: Kept) -> Callable[[], Timed]:
        """A program has places for what is gone, so the smaller network itself is exported."""
        from experiments.latency.profiling import (
            export_network,
            export_unpruned,
            in_turns,
            smaller_network,
        )

        model, runtime = self._workload.model, self._table.device.runtime
        smaller = smaller_network(model, self._graph, kept)
        payloads = [
            export_unpruned(model, self._inputs, runtime),
            export_network(smaller, self._inputs, runtime),
        ]
        # `measures` has seen that the runtime was typed.
        return partial(in_turns, payloads, runtime, self._table.device.threads, runtime)

    @property
    def _inputs(self) -> Inputs:
        made: Inputs = with_samples(first_call(self._workload.example), self._table.device.batch)
        return made
