"""Seven strategies under one latency budget: `python -m experiments.studies.budgets`.

Widths alone are searched (`--no-depth`); `experiments.studies.depth` tells what branches are worth.
Three rules, two samplers, the improved agent and NetAdapt; the other rules, `random` and the other
agents work under it as well and are left out for time. Each searches resnet20 on this machine with
the same table, budget, images and seed, as `amc benchmark` does; a benchmark that is there already
is taken as it is. Two more have a budget of MACs, plain and with counts at the edges of steps, to
show what equal MACs take. At the end all networks that came out are exported and timed against each
other and against the unpruned one, whole, in turns, each twice. The noise is the median difference
of the two. NetAdapt's steps are larger than its own, and its fine-tuning shorter, so that it takes
minutes.

Timings want a machine that does nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from amc.costs.latency import LatencyTable
from amc.policy import Budget
from experiments.commands import benchmark, export, profile
from experiments.disk import machine, write_whole
from experiments.latency.profiling import time_networks
from experiments.runs import RunResult
from experiments.settings import (
    HARDWARE,
    BenchmarkSettings,
    CutSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    ProfileSettings,
    run_folder,
)
from experiments.studies.markdown import markdown
from experiments.terminal import percent
from experiments.zoo import load_workload

MODEL, DATASET = "resnet20", "fashion-mnist"
BUDGET = Budget("latency", 0.6)
NAME = "netadapt"
NETADAPT: Mapping[str, Any] = {"reduction": 0.1, "steps": 3}
"""Its options: larger steps and less fine-tuning than its own, for a search of minutes."""

STRATEGIES = ("uniform", "sensitivity", "global", "tpe", "cma-es", "gp-rollout", NAME)


@dataclass(frozen=True)
class Block:
    """Strategies on one problem.

    Args:
        budget: As typed.
        round_to: As typed.
        strategies: Their short names.
    """

    budget: str
    round_to: int | Literal["hardware"]
    strategies: tuple[str, ...]

    @property
    def counts(self) -> str:
        """Which kept counts are legal."""
        edges = self.round_to == HARDWARE or self.budget == str(BUDGET)
        return "edges" if edges else "any"


BLOCKS = (
    Block(str(BUDGET), 1, STRATEGIES),
    Block("macs=0.5", 1, ("uniform", "cma-es")),
    Block("macs=0.5", HARDWARE, ("uniform", "cma-es")),
)


@dataclass(frozen=True)
class Row:
    """What came out of one search.

    Args:
        budget: As typed.
        counts: Legal kept counts: "any", or the "edges" of steps.
        strategy: Its short name.
        accuracy: On held-out and on test images, without fine-tuning after the search.
        macs: What is left of them.
        predicted: What is left of the time, by the table.
        measured: The same, timed whole.
        bound: The part of the budget that predictions were held to.
        evaluations: Candidates that were evaluated.
        seconds: The search took.
    """

    budget: str
    counts: str
    strategy: str
    accuracy: tuple[float, float]
    macs: float
    predicted: float
    measured: float
    bound: float
    evaluations: int
    seconds: float


def results_of(
    block: Block, chosen: argparse.Namespace, table: Path, console: Console
) -> list[RunResult]:
    """The runs of a block, which are made if they are not there."""
    out = Path(chosen.runs) / f"{block.budget}-{block.round_to}"
    if (out / "report.html").is_file():
        folders = [out / run_folder(name) for name in block.strategies]
        return [RunResult.load(folder / "result.json") for folder in folders]
    config = BenchmarkSettings(
        network=NetworkSettings(MODEL, DATASET),
        problem=ProblemSettings(
            budget=(Budget.parse(block.budget),),
            episodes=chosen.episodes,
            search_images=chosen.images,
            round_to=block.round_to,
            no_depth=True,
        ),
        cut=CutSettings(calibration_images=chosen.images, latency=str(table)),
        output=OutputSettings(str(out)),
        strategies=tuple(block.strategies),
        options={"netadapt": {**NETADAPT, "jobs": chosen.jobs}} if NAME in block.strategies else {},
    )
    return benchmark.benchmark(config, console)


def times_left(results: Sequence[RunResult], table: LatencyTable) -> tuple[list[float], float]:
    """What is left of the time for each run's network, and the noise."""
    workload = load_workload(NetworkSettings(model=MODEL, dataset=DATASET))
    networks = [export.load_pruned(Path(result.config["out"]), workload)[0] for result in results]
    device = table.device
    times, noise = time_networks(
        [workload.model, *networks], workload.sample, device.runtime, device.threads
    )
    unpruned, *others = (one["seconds"] for one in times)
    return [seconds / unpruned for seconds in others], noise


def row(block: Block, result: RunResult, measured: float) -> Row:
    """A search in numbers."""
    return Row(
        block.budget,
        block.counts,
        result.strategy,
        (result.searched.holdout, result.searched.final),
        result.costs["macs"].fraction,
        result.costs["latency"].fraction,
        measured,
        result.latency.bound if result.latency else 1.0,
        len(result.evaluations),
        result.seconds["search"],
    )


def table_of(rows: Sequence[Row], noise: float) -> str:
    """Accuracy, MACs and time side by side, in Markdown."""
    heads = ["budget", "counts", "strategy", "held out", "test", "MACs", "predicted time"]
    heads += [f"measured time ± {percent(noise)}", "bound", "evaluations", "seconds"]
    lines = [
        [
            item.budget,
            item.counts,
            item.strategy,
            *(f"{one:.3f}" for one in item.accuracy),
            *(percent(one) for one in (item.macs, item.predicted, item.measured, item.bound)),
            str(item.evaluations),
            f"{item.seconds:.0f}",
        ]
        for item in rows
    ]
    return markdown(heads, lines)


def all_keep_budget(rows: Sequence[Row], noise: float) -> bool:
    """Whether every network under the latency budget meets it, by the clock and up to the noise."""
    limited = [item for item in rows if item.budget == str(BUDGET)]
    return all(item.measured <= BUDGET.limit * (1 + noise) for item in limited)


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, time, print the table and write it; 1 where a network does not meet its budget."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.budgets",
        description=f"{', '.join(STRATEGIES)} under {BUDGET}: accuracy, MACs, measured time.",
    )
    parser.add_argument("--latency", help="table of this machine; left out, it is measured")
    parser.add_argument("--runs", default="runs/budgets", help="folder (default: runs/budgets)")
    parser.add_argument("--episodes", type=int, default=100, help="of each search (default: 100)")
    parser.add_argument(
        "--images", type=int, default=1000, help="searched on, and refit from (default: 1000)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes of netadapt (default: 2)")
    parser.add_argument("--out", default="docs/figures", help="folder (default: docs/figures)")
    chosen = parser.parse_args(arguments)
    console, runs = Console(markup=False, highlight=False), Path(chosen.runs)
    path = Path(chosen.latency or runs / profile.TABLE)
    if not path.is_file():
        profile.profile(
            ProfileSettings(NetworkSettings(MODEL, DATASET), round_to=1, out=str(runs)), console
        )
    pairs = [(b, result) for b in BLOCKS for result in results_of(b, chosen, path, console)]
    table = LatencyTable.load(path)
    left, noise = times_left([result for _, result in pairs], table)
    rows = [row(*pair, measured) for pair, measured in zip(pairs, left, strict=True)]
    print(table_of(rows, noise))
    write_whole(Path(chosen.out) / "budgets.json", _told(rows, noise, table, chosen))
    return 0 if all_keep_budget(rows, noise) else 1


def _told(
    rows: Sequence[Row], noise: float, table: LatencyTable, chosen: argparse.Namespace
) -> str:
    data: Mapping[str, Any] = {
        "model": MODEL,
        "dataset": DATASET,
        "seed": NetworkSettings().seed,
        "episodes": chosen.episodes,
        "images": chosen.images,
        "noise": noise,
        "rows": [asdict(item) for item in rows],
        "device": asdict(table.device),
        "fit": asdict(table.fit),
        "machine": machine(),
    }
    return json.dumps(data, indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(main())
