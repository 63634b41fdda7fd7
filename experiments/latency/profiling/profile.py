"""`amc profile`: a latency table of a network, measured here or on another device."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from amc.costs.latency import LatencyTable
from amc.granularity import Granularity, Rounding
from amc.pruning import decisions
from amc.structure import PruningGraph
from experiments.disk.files import ready_folder, write_whole
from experiments.latency.profiling.carrying import ARCHIVE, SCRIPT, carried, prepare
from experiments.latency.profiling.describe import reach_of, trust, where, widths
from experiments.latency.profiling.measuring import RUNTIMES, Answer, measured, table
from experiments.latency.profiling.plan import Plan, plan_of
from experiments.latency.profiling.template import template
from experiments.settings.config import ProfileConfig, listed, save_config
from experiments.terminal.formats import milliseconds, percent
from experiments.terminal.progress import Reporter
from experiments.zoo.networks import Setting, first_line, load_setting

TABLE = "latency.json"
"""Name of the table inside the folder for results."""


def profile(config: ProfileConfig, console: Console) -> None:
    """Measure, or prepare to; a table is left in the folder for results, and told in words.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
        ProfileError: for a network that cannot be profiled.
        ImportError: without the extra `onnx`.
    """
    if config.prepare:
        folder = ready_folder(config.prepare, "--prepare")
    else:
        folder = ready_folder(config.out)
    plan = planned(config)
    if config.prepare:
        prepare(plan, folder, config.runtime, config.threads)
        console.print(
            f"{ARCHIVE} and {SCRIPT} are in {folder}; run `python {SCRIPT}` on the device, which "
            f"needs {config.runtime} and numpy, and give what it writes to --timings",
            soft_wrap=True,
        )
        return
    if config.timings:
        answer = carried(plan, Path(config.timings), config.runtime, config.threads)
    else:
        answer = measured_here(plan, config.runtime, config.threads, console)
    found = table(plan, answer, config.model)
    save_config(config, folder / "config.yaml")
    write_whole(folder / TABLE, found.to_json())
    (shape,) = plan.template.program.inputs.values()
    console.print(f"input {' x '.join(map(str, shape))}")
    _tell(found, plan.template.graph, _rounding(config), console)
    console.print(f"table: {folder / TABLE}", soft_wrap=True)


def measured_here(plan: Plan, runtime: str, threads: int, console: Console) -> Answer:
    """Time a plan on this machine, and show how it goes on."""
    with Reporter("profile", len(plan.programs()), console) as reporter:
        return measured(
            plan, runtime, threads, lambda done: reporter.update(done, "programs timed")
        )


def _tell(table: LatencyTable, graph: PruningGraph, rounding: Rounding, console: Console) -> None:
    console.print(where(graph, table))
    console.print()
    console.print(widths(graph, table, rounding))
    full, least = reach_of(graph, table, rounding)
    console.print(f"\n{trust(table)}", soft_wrap=True)
    console.print(
        f"unpruned {milliseconds(full)}; pruning can bring it down to {milliseconds(least)} "
        f"({percent(least / full)})",
        soft_wrap=True,
    )


def planned(config: ProfileConfig) -> Plan:
    """What to time for these settings; the same wherever it is asked."""
    fed = RUNTIMES[config.runtime].fed
    # How long a pass takes does not depend on the weights.
    setting = load_setting(config, trained=False)
    sample = _sample(config, setting)
    graph = decisions(setting.model, sample, exclude=listed(config.exclude))
    inputs = torch.cat([sample] * config.batch_size)
    return plan_of(template(setting.model, graph, inputs), _rounding(config), fed=fed)


def _sample(config: ProfileConfig, setting: Setting) -> Tensor:
    """One sample of the shape that is asked for.

    Raises:
        ValueError: if the network does not take it.
    """
    if not config.input_shape:
        return setting.example
    sample = torch.zeros(1, *map(int, listed(config.input_shape)))
    try:
        with torch.no_grad():
            setting.model(sample)
    except Exception as error:
        raise ValueError(
            f"--input-shape is {config.input_shape}, on which model {config.model} fails "
            f"({first_line(error)}); give one that it takes, {_shape(setting.example)} for example"
        ) from error
    return sample


def _shape(sample: Tensor) -> str:
    return ",".join(map(str, sample.shape[1:]))


def _rounding(config: ProfileConfig) -> Rounding:
    return Granularity.parse("channel").rounding(config.round_to, config.max_ratio)
