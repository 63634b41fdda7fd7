"""A latency table that nobody had to make before: measured when a search asks for one, and kept."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from torch import nn

from amc.costs.latency import LATENCY, LatencyTable
from amc.granularity import Rounding
from amc.graph import PruningGraph
from amc.modules import Inputs, first_call, with_samples
from amc.pruning import decisions
from experiments.disk import cache_folder, write_whole
from experiments.latency import commanded
from experiments.settings import (
    COMMAND,
    HARDWARE,
    RUNTIMES,
    BenchmarkSettings,
    ProfilingSettings,
    SearchSettings,
)
from experiments.terminal import TRACING, count, printable, told_if_slow
from experiments.zoo import Workload

SCRIPT = 1_000_000
"""Bytes up to which a file that a command names counts as part of it: a script of the user's, whose
answers are other ones when it was changed."""

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
    asked, cut = config.problem, config.cut
    given: ProfilingSettings = config.profiling
    limited = any(budget.cost == LATENCY for budget in asked.budget)
    needed = limited or asked.round_to == HARDWARE
    if cut.latency is None and asked.round_to == HARDWARE and not asked.granularity.cuts:
        raise ValueError(
            f"--round-to {HARDWARE} takes counts of channels, and --granularity "
            f"{asked.granularity} masks weights; leave one of them out"
        )
    if cut.latency is not None or not needed or not asked.granularity.cuts:
        return config
    _check_onnx()
    from experiments.latency.profiling import rounding_of

    here = workload.on_processor
    with told_if_slow(console, TRACING):
        graph = decisions(here.model, here.example, exclude=asked.exclude)
    rounding = rounding_of(asked.round_to, asked.max_ratio, graph)
    network = (here.model, here.example, graph)
    path = _table_here(network, rounding, config.network.model, given, console)
    return replace(config, cut=replace(cut, latency=str(path)))


def measured_here(
    model: nn.Module,
    example: Inputs,
    graph: PruningGraph,
    rounding: Rounding,
    runtime: str = "onnxruntime",
    threads: int = 1,
) -> LatencyTable:
    """The table of a network on this machine, for whoever has no settings; told on stderr.

    Args:
        model: In evaluation mode.
        example: Its inputs.
        graph: Its decisions, of channels.
        rounding: Which kept counts are measured.
        runtime: As on the command line, and no command.
        threads: That it may use.

    Raises:
        ImportError, ProfileError: as `profiled`.
        ValueError: for a runtime that is not known.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime is {runtime!r}; known: {', '.join(RUNTIMES)}")
    _check_onnx()
    console = Console(stderr=True, markup=False, highlight=False)
    given, name = ProfilingSettings(runtime, threads), type(model).__name__
    return LatencyTable.load(_table_here((model, example, graph), rounding, name, given, console))


def _table_here(
    network: tuple[nn.Module, Inputs, PruningGraph],
    rounding: Rounding,
    name: str,
    given: ProfilingSettings,
    console: Console,
) -> Path:
    """Where the table of a network on this machine is kept, measured if it is not there yet.

    Args:
        network: With example inputs, and its decisions.
        rounding: Which kept counts are measured.
        name: Of the network, for people.
        given: Where, by how many threads, and how long at most.
        console: Where it is told.
    """
    from experiments.latency.profiling import fingerprint, measure_here, plan_of_network, table

    model, example, graph = network
    with told_if_slow(console, TRACING):
        inputs = with_samples(first_call(example), 1)
        plan = plan_of_network(model, graph, inputs, rounding, given.runtime)
    device = commanded.device(given.runtime, given.threads)
    known = [fingerprint(plan, given.runtime, given.threads), device, *_behind(given.runtime)]
    path = cache_folder("latency") / f"{_hashed(known)}.json"
    notes = path.with_suffix(".jsonl")
    where = f"{printable(given.runtime)}, {count(given.threads, 'thread')}"
    if path.is_file():
        console.print(
            f"latency by {path}, measured before ({where}); without that file it is measured anew",
            soft_wrap=True,
        )
        return path
    console.print(
        f"no --latency table is given: measures how long the parts of {name} take ({where}; "
        f"{_how_long(given)})",
        soft_wrap=True,
    )
    alike = path.with_name(f"parts-{_hashed(device)}.jsonl")
    answer = measure_here(plan, given.runtime, given.threads, console, given.seconds, notes, alike)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, table(plan, answer, name).to_json())
    notes.unlink(missing_ok=True)
    console.print(f"the table is kept in {path}", soft_wrap=True)
    return path


def _check_onnx() -> None:
    if find_spec("onnx") is None:
        raise ImportError(
            "a budget of latency is measured on programs of ONNX, which is not here; pip install "
            "'amc-pruning[onnx]', or name a table that was made elsewhere with --latency"
        )


def _hashed(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _how_long(given: ProfilingSettings) -> str:
    bound = f"--profile-minutes {given.seconds / 60:g} bounds it"
    if given.runtime.startswith(COMMAND):
        bound = "as long as it takes" if math.isinf(given.seconds) else bound
        return f"{bound}; answers are kept, line by line"
    return f"{bound}; let the machine do nothing else"


def _behind(runtime: str) -> list[str]:
    """What stands behind a command beside its words: the folder, as it may name a file by its
    place, and what is in the files that it names."""
    if not runtime.startswith(COMMAND):
        return [""]
    named = [Path(word).expanduser() for word in shlex.split(runtime[len(COMMAND) :])]
    files = [path for path in named if path.is_file() and path.stat().st_size <= SCRIPT]
    return [str(Path.cwd()), *(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)]
