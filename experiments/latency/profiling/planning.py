"""From the settings of a profile to a plan, and its timing on this machine."""

from __future__ import annotations

import math

import torch
from rich.console import Console
from torch import Tensor, nn

from amc.granularity import CHANNELS, Rounding
from amc.graph import PruningGraph
from amc.modules import Inputs
from amc.pruning import decisions
from experiments.latency.profiling.measuring import RUNTIMES, Answer, measure
from experiments.latency.profiling.plan import Plan, plan_of
from experiments.latency.profiling.templates import template
from experiments.settings import ProfileSettings, split_words
from experiments.terminal import Reporter
from experiments.zoo import Workload, first_line, load_workload


def measure_here(
    plan: Plan, runtime: str, threads: int, console: Console, seconds: float = math.inf
) -> Answer:
    """Time a plan on this machine, for so many seconds at most, and show how it goes on."""
    with Reporter("profile", len(plan.programs()), console) as reporter:

        def said(done: int) -> None:
            reporter.update(done, "programs timed")

        return measure(plan, runtime, threads, said, seconds)


def plan_of_network(
    model: nn.Module, graph: PruningGraph, inputs: Inputs, rounding: Rounding, runtime: str
) -> Plan:
    """What to time of a network for a runtime."""
    return plan_of(template(model, graph, inputs), rounding, fed=RUNTIMES[runtime].fed)


def plan_for(config: ProfileSettings) -> Plan:
    """What to time for these settings; the same wherever it is asked."""
    # How long a pass takes does not depend on the weights.
    workload = load_workload(config.network, trained=False)
    sample = _sample(config, workload)
    graph = decisions(workload.model, sample, exclude=config.exclude)
    inputs = torch.cat([sample] * config.batch_size)
    return plan_of_network(workload.model, graph, inputs, rounding_of(config), config.runtime)


def _sample(config: ProfileSettings, workload: Workload) -> Tensor:
    """One sample of the shape that is asked for.

    Raises:
        ValueError: if the network does not take it.
    """
    if not config.input_shape:
        return workload.sample
    sample = torch.zeros(1, *map(int, split_words(config.input_shape)))
    try:
        with torch.no_grad():
            workload.model(sample)
    except Exception as error:
        raise ValueError(
            f"--input-shape is {config.input_shape}, on which model {config.network.model} fails "
            f"({first_line(error)}); give one that it takes, {_shape(workload.sample)} for example"
        ) from error
    return sample


def _shape(sample: Tensor) -> str:
    return ",".join(map(str, sample.shape[1:]))


def rounding_of(config: ProfileSettings) -> Rounding:
    """Which kept counts are measured."""
    return CHANNELS.rounding(config.round_to, config.max_ratio)
