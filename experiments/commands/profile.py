"""`amc profile`: a latency table of a network, measured here or on another device."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from amc.costs.latency import LatencyTable
from amc.granularity import Rounding
from amc.graph import PruningGraph
from experiments.disk import ready_folder, write_whole
from experiments.latency.profiling import (
    ARCHIVE,
    SCRIPT,
    measure_here,
    plan_for,
    prepare,
    reach_of,
    read_answer,
    rounding_of,
    table,
    trust,
    where,
    widths,
)
from experiments.settings import ProfileSettings, save_config
from experiments.terminal import TRACING, milliseconds, percent, told_if_slow

TABLE = "latency.json"
"""Name of the table inside the folder for results."""


def run(config: ProfileSettings, console: Console) -> None:
    """What `amc profile` does."""
    profile(config, console)


def profile(config: ProfileSettings, console: Console) -> None:
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
    with told_if_slow(console, TRACING):
        plan = plan_for(config)
    if config.prepare:
        prepare(plan, folder, config.runtime, config.threads)
        console.print(
            f"{ARCHIVE} and {SCRIPT} are in {folder}; run `python {SCRIPT}` on the device, which "
            f"needs {config.runtime} and numpy, and give what it writes to --timings",
            soft_wrap=True,
        )
        return
    notes = folder / "answers.jsonl"
    if config.timings:
        answer = read_answer(plan, Path(config.timings), config.runtime, config.threads)
    else:
        answer = measure_here(plan, config.runtime, config.threads, console, notes=notes)
    found = table(plan, answer, config.network.model)
    save_config(config, folder / "config.yaml")
    write_whole(folder / TABLE, found.to_json())
    notes.unlink(missing_ok=True)
    shapes = plan.template.program.inputs.values()
    console.print(f"input {', '.join(' x '.join(map(str, shape)) for shape in shapes)}")
    graph = plan.template.graph
    legal = rounding_of(config.round_to, config.max_ratio, graph)
    _tell(found, graph, legal, console)
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
