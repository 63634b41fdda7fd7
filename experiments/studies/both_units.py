"""Channels and zeros in one budget: `python -m experiments.studies.both_units`.

An AlexNet-like network on Fashion-MNIST is brought to a few stored bytes by whole channels, by
single weights, and by both at once, with the same search and the same fine-tuning. Each seed trains
a network of its own. Every network is a line of the file, and the same command goes on after any
stop.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from rich.console import Console

from amc.granularity import Granularity
from amc.policy import Budget
from amc.strategies import DEFAULT
from amc.weights import save_weights
from experiments.disk import in_short, machine
from experiments.search import search
from experiments.settings import (
    ChoiceSettings,
    MeasureSettings,
    NetworkSettings,
    OutputSettings,
    ProblemSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.statistics import Mean, difference
from experiments.studies.flags import DOCS, parser_of, rows_of, tell
from experiments.studies.markdown import markdown
from experiments.studies.sparsity.routes import Study, train_dense

HERE = "experiments.studies.both_units"
PAGE, ROWS = DOCS / "granularities.md", DOCS / "figures" / "both-units.jsonl"
KEYS = ("budget", "units", "seed")

BUDGETS = ("size=0.05",)
BOTH = "channel+element"
RANKED = "element, one ranking"
FIFTH = f"{BOTH}, one ranking, a fifth of the channels gone"
TUNED = f"{BOTH}, chosen by tuning"
CONTENDERS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "channel": ("channel", DEFAULT, {}),
    "element": ("element", DEFAULT, {}),
    RANKED: ("element", "global", {"scaled": False}),
    BOTH: (BOTH, DEFAULT, {}),
    FIFTH: (BOTH, "global", {"scaled": False, "channels": 0.2}),
    TUNED: (BOTH, DEFAULT, {}),
}
"""By their labels granularity, strategy and its options. One ranking of plain magnitudes over all
layers is what single weights are usually pruned by (docs/sparsity.md)."""
SEEDS, EPOCHS, DENSE_EPOCHS = 3, 5.0, 15.0
RATE = 0.5
"""Of fine-tuning, as a part of the rate of training: after such cuts much is to be learned anew."""

Key = tuple[str, str, int]


def main(words: Sequence[str] | None = None) -> int:
    """Search and tune what is missing, and print the table."""
    asked = _parser().parse_args(words)
    rows, budgets = rows_of(asked, *KEYS), asked.budgets.split(",")
    if not asked.no_run:
        keys = [
            (budget, name, seed)
            for seed, budget, name in product(range(asked.seeds), budgets, CONTENDERS)
            if (budget, name, seed) not in rows.known()
        ]
        for row in Shared(Path(asked.runs), asked.epochs, asked.episodes).rows(keys, asked.jobs):
            rows.add(row)
            print(" ".join(str(row[key]) for key in KEYS), f"{row['tuned']:.4f}", flush=True)
    return tell(asked, rows, lambda: table(rows.known(), asked.seeds), PAGE, "both-units")


@dataclass(frozen=True)
class Shared:
    """What all networks have in common.

    Args:
        runs: Folder of what is trained and searched.
        epochs: Of fine-tuning.
        episodes: Candidates that each search evaluates.
    """

    runs: Path
    epochs: float
    episodes: int

    def rows(self, keys: Sequence[Key], jobs: int) -> Iterable[Mapping[str, Any]]:
        """A line of each, as they are done; so many at once, each on one thread."""
        run = Parallel(n_jobs=jobs, return_as="generator_unordered")
        list(run(delayed(self.train)(seed) for seed in sorted({seed for *_, seed in keys})))
        found: Iterable[Mapping[str, Any]] = run(delayed(self.row)(key) for key in keys)
        return found

    def dense(self, seed: int) -> Path:
        """Where the trained network of a seed is."""
        return self.runs / f"dense-{seed}.safetensors"

    def train(self, seed: int) -> None:
        """The unpruned network of a seed, unless it is there."""
        if not self.dense(seed).is_file():
            self.runs.mkdir(parents=True, exist_ok=True)
            save_weights(train_dense(Study(dense_epochs=DENSE_EPOCHS), seed), self.dense(seed), {})

    def row(self, key: Key) -> Mapping[str, Any]:
        """One search with its fine-tuning, as a line."""
        torch.set_num_threads(1)
        budget, units, seed = key
        granularity, strategy, options = CONTENDERS[units]
        study = Study()
        config = SearchSettings(
            network=NetworkSettings(
                study.model, study.dataset, weights=str(self.dense(seed)), seed=seed
            ),
            problem=ProblemSettings(
                budget=(Budget.parse(budget),),
                episodes=self.episodes,
                granularity=Granularity.parse(granularity),
            ),
            tuning=TuningSettings(self.epochs, finetune_lr=study.lr * RATE),
            ending=MeasureSettings(no_measure=True),
            output=OutputSettings(str(self.runs / f"{units}-{budget}-{seed}".replace(", ", "-"))),
            choice=ChoiceSettings("tuned" if units == TUNED else "score"),
            strategy=strategy,
            options=dict(options),
        )
        found = search(config, Console(quiet=True))
        assert found.finetuned is not None
        return {
            **dict(zip(KEYS, key, strict=True)),
            "unpruned": found.unpruned.final,
            "cut": found.searched.final,
            "tuned": found.finetuned.final,
            "bytes": found.costs["size"].pruned,
            "macs": found.costs["macs"].fraction,
            "seconds": dict(found.seconds),
            "machine": in_short(machine()),
        }


def table(found: Mapping[tuple[Any, ...], Mapping[str, Any]], seeds: int) -> str:
    """What each granularity comes to, and how far both at once are ahead of it."""
    heads = ("stored", "units", "MACs", "after the cut", "tuned", "the last is ahead by", "seeds")
    budgets = sorted({budget for budget, *_ in found}, key=lambda one: -Budget.parse(one).limit)
    lines = []
    for budget, name in product(budgets, CONTENDERS):
        there = [s for s in range(seeds) if {(budget, name, s), (budget, TUNED, s)} <= found.keys()]
        if not there:
            continue
        own = [found[budget, name, seed] for seed in there]
        both = [found[budget, TUNED, seed]["tuned"] for seed in there]
        tuned, (units, *more) = [row["tuned"] for row in own], name.split(", ")
        others = "".join(f", {one}" for one in more)
        lines.append(
            [
                f"{Budget.parse(budget).limit:.0%}",
                f"`{units}`{others}",
                f"{Mean.of(row['macs'] for row in own).mean:.1%}",
                f"{Mean.of(row['cut'] for row in own).mean:.4f}",
                str(Mean.of(tuned)),
                "" if name == TUNED else difference(both, tuned),
                str(len(there)),
            ]
        )
    whole = Mean.of({seed: row["unpruned"] for (*_, seed), row in found.items()}.values())
    machines = "; ".join(dict.fromkeys(row["machine"] for row in found.values()))
    return f"{markdown(heads, lines)}\n\nThe unpruned networks: {whole}. {machines}."


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    add = parser.add_argument
    add("--budgets", default=",".join(BUDGETS), help="by commas (default: %(default)s)")
    add("--seeds", type=int, default=SEEDS, help="of each (default: %(default)s)")
    add("--epochs", type=float, default=EPOCHS, help="of fine-tuning (default: %(default)s)")
    add("--episodes", type=int, default=100, help="of a search (default: %(default)s)")
    add("--jobs", type=int, default=2, help="at once (default: %(default)s)")
    add("--runs", default="runs/both-units", help="what is made (default: %(default)s)")
    add("--no-run", action="store_true", help="only make the table anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
