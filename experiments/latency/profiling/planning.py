"""From the settings of a profile to a plan, and its timing on this machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from amc.costs.latency import in_blocks
from amc.granularity import CHANNELS, Rounding
from amc.graph import PruningGraph
from amc.modules import Inputs, call, changed, first_call, tensors, with_samples
from amc.pruning import decisions
from experiments.latency.profiling.by_command import Notes
from experiments.latency.profiling.carrying import fingerprint
from experiments.latency.profiling.known import Known
from experiments.latency.profiling.measuring import Answer, measure, runtime_of
from experiments.latency.profiling.plan import Plan, plan_of
from experiments.latency.profiling.templates import template
from experiments.settings import AUTO, ProfileSettings, split_words
from experiments.terminal import Reporter
from experiments.zoo import Workload, first_line, load_workload


def measure_here(
    plan: Plan,
    runtime: str,
    threads: int,
    console: Console,
    seconds: float = math.inf,
    notes: Path | None = None,
    known: Path | None = None,
) -> Answer:
    """Time a plan, and show how it goes on.

    Args:
        plan: What is timed.
        runtime: See `measure`.
        threads: That it may use.
        console: Where it is shown.
        seconds: At most, on this machine.
        notes: File in which a command's answers are kept.
        known: File of what parts took in earlier profiles on this machine.
    """
    kept = None if notes is None else Notes(notes, fingerprint(plan, runtime, threads))
    with Reporter("profile", len(plan.programs()), console) as reporter:

        def said(done: int) -> None:
            reporter.update(done, "programs timed")

        before = None if known is None else Known(known)
        return measure(plan, runtime, threads, said, seconds, kept, console.print, before)


def plan_of_network(
    model: nn.Module, graph: PruningGraph, inputs: Inputs, rounding: Rounding, runtime: str
) -> Plan:
    """What to time of a network for a runtime."""
    own = runtime_of(runtime)
    found = template(model, graph, inputs)
    return plan_of(found, rounding, fed=own.fed, networks=own.networks, dtype=own.dtype)


def plan_for(config: ProfileSettings) -> Plan:
    """What to time for these settings; the same wherever it is asked."""
    # How long a pass takes does not depend on the weights.
    workload = load_workload(config.network, trained=False)
    example = _example(config, workload)
    graph = decisions(workload.model, example, exclude=config.exclude)
    inputs = with_samples(first_call(example), config.batch_size)
    rounding = rounding_of(config.round_to, config.max_ratio, graph)
    return plan_of_network(workload.model, graph, inputs, rounding, config.runtime)


def _example(config: ProfileSettings, workload: Workload) -> Inputs:
    """Inputs whose samples have the shape that is asked for.

    Raises:
        ValueError: if the network does not take it.
    """
    own = workload.example
    if not config.input_shape:
        return own
    shape = tuple(map(int, split_words(config.input_shape)))
    example: Inputs = reshaped(first_call(own), shape)
    try:
        with torch.no_grad():
            call(workload.model, example)
    except Exception as error:
        first, *_ = tensors(own)
        raise ValueError(
            f"--input-shape is {config.input_shape}, on which model {config.network.model} fails "
            f"({first_line(error)}); give one that it takes, {_shape(first)} for example"
        ) from error
    return example


def reshaped(inputs: Inputs, shape: tuple[int, ...]) -> Any:
    """The inputs with samples of this shape, of what they have, over and over.

    All tensors whose samples are shaped as those of the first one have the new shape: of tokens and
    their mask both are of the new length.
    """
    own = tensors(inputs)[0].shape[1:]

    def change(tensor: Tensor) -> Tensor:
        if tensor.shape[1:] != own:
            return tensor
        wanted = (len(tensor), *shape)
        times = math.ceil(math.prod(wanted) / max(1, tensor.numel()))
        return tensor.flatten().repeat(times)[: math.prod(wanted)].reshape(wanted)

    return changed(inputs, change)


def _shape(tensor: Tensor) -> str:
    return ",".join(map(str, tensor.shape[1:]))


def rounding_of(round_to: int | str, max_ratio: float | None, graph: PruningGraph) -> Rounding:
    """Which kept counts are measured.

    Args:
        round_to: Multiples of which; auto takes whole blocks, hardware all counts, of which the
            table then tells those that are fast.
        max_ratio: Largest pruning ratio of a group; None takes the usual one.
        graph: What is pruned.
    """
    multiple = round_to if isinstance(round_to, int) else 1
    plain = CHANNELS.rounding(multiple, max_ratio)
    return in_blocks(graph, plain) if round_to == AUTO else plain
