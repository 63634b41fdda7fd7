"""What whole branches are worth: `python -m experiments.studies.depth`.

One network is searched under one budget, with and without `--no-depth`, at several seeds, at equal
evaluations and equal fine-tuning. Runs that are there already are taken as they are, so that the
study goes on after any stop. At the end all networks that came out are exported and timed against
the unpruned one, whole, in turns.

Timings want a machine that does nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from amc.costs.latency import LatencyTable
from amc.policy import Budget
from experiments.commands import export, profile
from experiments.disk import machine, write_whole
from experiments.latency.profiling import time_networks
from experiments.runs import RunResult
from experiments.search import search
from experiments.settings import (
    CutSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    ProfileSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.statistics import half_difference, half_interval
from experiments.studies.markdown import markdown
from experiments.terminal import percent
from experiments.zoo import load_workload

SEEDS = 5
DEPTH = {True: "width and depth", False: "width alone"}


@dataclass(frozen=True)
class Row:
    """What came out of one search.

    Args:
        depth: Whether whole branches may go.
        seed: Of all that is random.
        cut: Accuracy on test images as the cut and its refit leave the network.
        tuned: The same after fine-tuning.
        gone: Groups of which nothing is left.
        groups: Of the network.
        macs: What is left of them.
        measured: What is left of the time, timed whole.
        seconds: The search took.
    """

    depth: bool
    seed: int
    cut: float
    tuned: float
    gone: int
    groups: int
    macs: float
    measured: float
    seconds: float


def result_of(
    chosen: argparse.Namespace, depth: bool, seed: int, table: Path, console: Console
) -> RunResult:
    """One run, which is made if it is not there."""
    out = Path(chosen.runs) / f"{'depth' if depth else 'width'}-{seed}"
    if not (out / "report.html").is_file():
        config = SearchSettings(
            network=_network(chosen, seed),
            problem=ProblemSettings(
                budget=(Budget.parse(chosen.budget),),
                episodes=chosen.episodes,
                search_images=chosen.images,
                round_to=1,
                max_ratio=chosen.max_ratio,
                no_depth=not depth,
            ),
            cut=CutSettings(calibration_images=chosen.images, latency=str(table)),
            tuning=TuningSettings(finetune_epochs=chosen.epochs),
            output=OutputSettings(str(out)),
        )
        search(config, console)
    return RunResult.load(out / "result.json")


def _network(chosen: argparse.Namespace, seed: int = 0) -> NetworkSettings:
    return NetworkSettings(chosen.model, chosen.dataset, chosen.width, chosen.weights, seed)


def rows_of(
    results: Sequence[RunResult], chosen: argparse.Namespace, table: LatencyTable
) -> tuple[list[Row], float]:
    """The runs in numbers, and the noise of the times."""
    workload = load_workload(_network(chosen))
    networks = [export.load_pruned(Path(one.config["out"]), workload)[0] for one in results]
    times, noise = time_networks(
        [workload.model, *networks], workload.sample, table.device.runtime, table.device.threads
    )
    unpruned, *others = (one["seconds"] for one in times)
    measured = [seconds / unpruned for seconds in others]
    return [_row(*pair) for pair in zip(results, measured, strict=True)], noise


def _row(result: RunResult, measured: float) -> Row:
    assert result.finetuned is not None
    return Row(
        not result.config["no_depth"],
        result.seed,
        result.searched.final,
        result.finetuned.final,
        sum(not group.kept for group in result.groups),
        len(result.groups),
        result.costs["macs"].fraction,
        measured,
        result.seconds["search"],
    )


def table_of(rows: Sequence[Row], noise: float) -> str:
    """Both ways side by side, in Markdown."""
    heads = ["what is searched", "after the cut", "after fine-tuning", "groups gone", "MACs left"]
    heads += [f"measured time left ± {percent(noise)}", "seconds"]
    lines = []
    for depth, name in DEPTH.items():
        own = [row for row in rows if row.depth == depth]
        lines.append(
            [
                name,
                *(_mean([getattr(row, key) for row in own]) for key in ("cut", "tuned")),
                f"{sum(row.gone for row in own) / len(own):.1f} of {own[0].groups}",
                percent(sum(row.macs for row in own) / len(own)),
                f"{percent(max(row.measured for row in own))} at most",
                f"{sum(row.seconds for row in own) / len(own):.0f}",
            ]
        )
    return f"{markdown(heads, lines)}\n{difference(rows)}"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.4f} ± {half_interval(values):.4f}"


def difference(rows: Sequence[Row]) -> str:
    """What depth gains after fine-tuning, in a sentence."""
    ours, theirs = ([row.tuned for row in rows if row.depth == depth] for depth in DEPTH)
    gain = sum(ours) / len(ours) - sum(theirs) / len(theirs)
    interval = half_difference(ours, theirs)
    return f"With depth {gain:+.4f} ± {interval:.4f} after fine-tuning (95%, {len(ours)} seeds)."


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, time, print the table and write it."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.depth",
        description="One network under one budget, with whole branches and without.",
    )
    parser.add_argument("--model", default="resnet56", help="(default: resnet56)")
    parser.add_argument("--dataset", default="fashion-mnist", help="(default: fashion-mnist)")
    parser.add_argument("--width", type=float, default=0.5, help="(default: 0.5)")
    parser.add_argument("--weights", required=True, help="what `amc train` wrote")
    parser.add_argument("--budget", default="latency=0.4", help="(default: latency=0.4)")
    parser.add_argument(
        "--max-ratio",
        type=float,
        default=0.95,
        help="without depth 0.8 is too little (default: 0.95)",
    )
    parser.add_argument("--latency", help="table of this machine; left out, it is measured")
    parser.add_argument("--runs", default="runs/depth", help="folder (default: runs/depth)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"(default: {SEEDS})")
    parser.add_argument("--episodes", type=int, default=100, help="of each search (default: 100)")
    parser.add_argument("--epochs", type=float, default=1.0, help="of fine-tuning (default: 1)")
    parser.add_argument(
        "--images", type=int, default=1000, help="searched on, and refit from (default: 1000)"
    )
    parser.add_argument("--out", default="docs/figures", help="folder (default: docs/figures)")
    chosen = parser.parse_args(arguments)
    console, runs = Console(markup=False, highlight=False), Path(chosen.runs)
    path = Path(chosen.latency or runs / profile.TABLE)
    if not path.is_file():
        asked = ProfileSettings(
            _network(chosen), round_to=1, max_ratio=chosen.max_ratio, out=str(runs)
        )
        profile.profile(asked, console)
    results = [
        result_of(chosen, depth, seed, path, console)
        for seed in range(chosen.seeds)
        for depth in DEPTH
    ]
    table = LatencyTable.load(path)
    rows, noise = rows_of(results, chosen, table)
    print(table_of(rows, noise))
    told = _told(rows, noise, table, chosen)
    write_whole(Path(chosen.out) / f"depth-{chosen.model}.json", told)
    return 0


def _told(
    rows: Sequence[Row], noise: float, table: LatencyTable, chosen: argparse.Namespace
) -> str:
    asked = {key: value for key, value in vars(chosen).items() if key not in ("out", "runs")}
    data: dict[str, Any] = {
        **asked,
        "noise": noise,
        "rows": [asdict(row) for row in rows],
        "device": asdict(table.device),
        "fit": asdict(table.fit),
        "machine": machine(),
    }
    return json.dumps(data, indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(main())
