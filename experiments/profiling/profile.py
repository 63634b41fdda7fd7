"""`amc profile`: a latency table of a network, measured here or on another device."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from amc.costs.latency import Device, LatencyTable
from amc.granularity import Granularity, Rounding
from amc.pruning import decisions
from amc.structure import PruningGraph
from experiments.config import ProfileConfig, listed, save_config
from experiments.files import ready_folder, write_whole
from experiments.networks import load_setting
from experiments.profiling import timing
from experiments.profiling.carrying import ARCHIVE, SCRIPT, carried, prepare
from experiments.profiling.describe import milliseconds, reach_of, trust, where, widths
from experiments.profiling.measuring import RUNTIMES, measured, table
from experiments.profiling.plan import Plan, plan
from experiments.profiling.template import template
from experiments.progress import Reporter
from experiments.report.formats import percent

TABLE = "latency.json"
"""Name of the table inside the folder for results."""


def profile(config: ProfileConfig, console: Console) -> None:
    """Measure, or prepare to; a table is left in the folder for results, and told in words.

    Raises:
        LookupError, ValueError, FileNotFoundError: for settings that cannot be carried out.
        ProfileError: for a network that cannot be profiled.
        ImportError: without the extra `onnx`.
    """
    folder = ready_folder(config.prepare or config.out)
    made = planned(config)
    fixed: dict[str, Any] = {"batch": config.batch_size, "dtype": "float32"}
    if config.prepare:
        prepare(made, folder, config.runtime, config.threads, fixed)
        console.print(
            f"{ARCHIVE} and {SCRIPT} are in {folder}; run `python {SCRIPT}` on the device, which "
            f"needs {config.runtime} and numpy, and give what it writes to --timings",
            soft_wrap=True,
        )
        return
    start = time.perf_counter()
    if config.timings:
        answer = carried(made, Path(config.timings))
        timings, unsteady, took = answer.timings, answer.unsteady, answer.took
        device = answer.device
    else:
        with Reporter("profile", len(made.programs()), console) as reporter:
            timings, unsteady = measured(
                made, config.runtime, config.threads, lambda done: reporter.update(done, "")
            )
        took = time.perf_counter() - start
        device = Device(**timing.device(config.runtime, config.threads), **fixed)
    found = table(made, timings, device, config.model)
    settings = {"rounds": timing.ROUNDS, "programs": len(timings), "took": took}
    found = replace(found, settings={**settings, "unsteady": unsteady})
    save_config(config, folder / "config.yaml")
    write_whole(folder / TABLE, found.to_json())
    _tell(found, made.template.graph, _rounding(config), console)
    console.print(f"table: {folder / TABLE}", soft_wrap=True)


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
    setting = load_setting(config)
    graph = decisions(setting.model, setting.example, exclude=listed(config.exclude))
    inputs = torch.cat([setting.example] * config.batch_size)
    return plan(template(setting.model, graph, inputs), _rounding(config), fed=fed)


def _rounding(config: ProfileConfig) -> Rounding:
    return Granularity.parse("channel").rounding(config.round_to, config.max_ratio)
