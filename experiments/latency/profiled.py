"""A latency table that nobody had to make before: measured when a search asks for one, and kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from amc.costs.latency import LATENCY
from amc.modules import first_call, with_samples
from amc.pruning import decisions
from experiments.disk import cache_folder, write_whole
from experiments.latency import commanded
from experiments.settings import (
    COMMAND,
    HARDWARE,
    BenchmarkSettings,
    ProfilingSettings,
    SearchSettings,
)
from experiments.terminal import TRACING, count, printable, told_if_slow
from experiments.zoo import Workload

S = TypeVar("S", SearchSettings, BenchmarkSettings)


def profiled(config: S, workload: Workload, console: Console) -> S:
    """The settings with a table, where they need one and name none.

    It is measured on this machine and kept in the user's cache folder, by the network's layers and
    the device, from where the same command takes it again.

    Raises:
        ImportError: without the extra `onnx`.
        ProfileError: for a network that cannot be profiled.
        ValueError: for counts of channels where weights are masked.
    """
    asked, cut, given = config.problem, config.cut, config.profiling
    limited = any(budget.cost == LATENCY for budget in asked.budget)
    needed = limited or asked.round_to == HARDWARE
    if cut.latency is None and asked.round_to == HARDWARE and asked.granularity.masks:
        raise ValueError(
            f"--round-to {HARDWARE} takes counts of channels, and --granularity "
            f"{asked.granularity} masks weights; leave one of them out"
        )
    if cut.latency is not None or not needed or asked.granularity.masks:
        return config
    if find_spec("onnx") is None:
        raise ImportError(
            "a budget of latency is measured on programs of ONNX, which is not here; pip install "
            "'amc-pruning[onnx]', or name a table that was made elsewhere with --latency"
        )
    from experiments.latency.profiling import (
        fingerprint,
        measure_here,
        plan_of_network,
        rounding_of,
        table,
    )

    here, name = workload.on_processor, config.network.model
    with told_if_slow(console, TRACING):
        graph = decisions(here.model, here.example, exclude=asked.exclude)
        rounding = rounding_of(asked.round_to, asked.max_ratio, graph)
        inputs = with_samples(first_call(here.example), 1)
        plan = plan_of_network(here.model, graph, inputs, rounding, given.runtime)
    device = commanded.device(given.runtime, given.threads)
    # A command may name a file by its place.
    place = str(Path.cwd()) if given.runtime.startswith(COMMAND) else ""
    known = [fingerprint(plan, given.runtime, given.threads), device, place]
    told = json.dumps(known, sort_keys=True)
    path = cache_folder("latency") / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
    notes = path.with_suffix(".jsonl")
    where = f"{printable(given.runtime)}, {count(given.threads, 'thread')}"
    if path.is_file():
        console.print(
            f"latency by {path}, measured before ({where}); without that file it is measured anew",
            soft_wrap=True,
        )
    else:
        console.print(
            f"no --latency table is given: measures how long the parts of {name} take ({where}; "
            f"{_how_long(given)})",
            soft_wrap=True,
        )
        answer = measure_here(
            plan,
            given.runtime,
            given.threads,
            console,
            60 * given.profile_minutes,
            notes,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, table(plan, answer, name).to_json())
        notes.unlink(missing_ok=True)
        console.print(f"the table is kept in {path}", soft_wrap=True)
    return replace(config, cut=replace(cut, latency=str(path)))


def _how_long(given: ProfilingSettings) -> str:
    if given.runtime.startswith(COMMAND):
        return "as long as the command takes for each of them; answers are kept, line by line"
    bound = f"--profile-minutes {given.profile_minutes:g} bounds it"
    return f"{bound}; let the machine do nothing else"
