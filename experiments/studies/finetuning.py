"""What each way to fine-tune is worth, on a small network that is pruned hard.

    python -m experiments.studies.finetuning

A ResNet-8 of half the width is trained on handwritten digits, once a seed, and pruned by the same
ratio everywhere. In one column of a table every row gets the same number of gradient steps.
Reported is the accuracy on test images: the mean over the seeds, and half of its 95% interval
(Student's t).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from amc.evaluation import recalibrate
from amc.finetuning import Plan, Recipe, Schedule, fit, prune_iteratively
from amc.pruning import Narrowed, decisions, narrow
from experiments.disk import machine, ready_folder, write_whole
from experiments.statistics import half_interval
from experiments.studies.accuracies import accuracy
from experiments.studies.markdown import markdown
from experiments.zoo import Splits, build_model, digits

RATE = 0.1
TRAINING = Recipe(epochs=30, lr=RATE, batch_size=64, warmup=0.2, shift=1)
TUNING = replace(TRAINING, warmup=0.0)
RATIOS = {"channel": 0.6, "element": 0.95}
"""Pruning ratio of every group."""
SHORT, LONG = 5.0, 20.0
"""Epochs of fine-tuning."""


@dataclass(frozen=True)
class Column:
    """What all rows of a table have in common.

    Args:
        granularity: "channel" or "element".
        epochs: Of fine-tuning; 0 leaves it out.
        rate: Peak learning rate, as a fraction of the training rate, where no row says otherwise.
    """

    granularity: str
    epochs: float = 0.0
    rate: float = 0.1

    def __str__(self) -> str:
        what = {"channel": "channels", "element": "weights"}[self.granularity]
        step = f", {self.epochs:g} epochs" if self.epochs else ""
        rate = ", full rate" if self.rate == 1 else ""
        return f"{RATIOS[self.granularity]:.0%} of {what}{step}{rate}"


@dataclass(frozen=True)
class Case:
    """One trained network, never changed.

    Args:
        starts: The network with its decisions, by granularity.
        splits: Its images.
        seed: Of its training, and of its fine-tuning.
    """

    starts: Mapping[str, Narrowed]
    splits: Splits
    seed: int

    @property
    def model(self) -> nn.Module:
        """The network itself."""
        return self.starts["channel"].network

    def score(self, network: nn.Module) -> float:
        """Accuracy on test images."""
        return accuracy(network, self.splits.test.held())


Way = Callable[[Case, Column], float]


def target(start: Narrowed, column: Column) -> tuple[int, ...]:
    """Kept counts at the end."""
    left = 1 - RATIOS[column.granularity]
    return tuple(max(1, round(units * left)) for units in start.kept)


def alone(case: Case, column: Column, *, refit: bool, norms: bool) -> float:
    """Accuracy after pruning without fine-tuning."""
    train, start = case.splits.train, case.starts[column.granularity]
    made = narrow(start, target(start, column), "l1", train if refit else None)
    return case.score(recalibrate(made.network, train) if norms else made.network)


def tune_case(
    case: Case,
    column: Column,
    *,
    schedule: Schedule | None = None,
    rate: float | None = None,
    distill: float = 0.0,
) -> float:
    """Accuracy after pruning and fine-tuning."""
    start = case.starts[column.granularity]
    lr = RATE * (column.rate if rate is None else rate)
    recipe = replace(TUNING, lr=lr, epochs=column.epochs, seed=case.seed, distill=distill)
    end = prune_iteratively(
        start,
        target(start, column),
        Plan(schedule or Schedule(), recipe),
        case.splits.train,
        narrow=partial(narrow, criterion="l1"),
        teacher=case.model,
    )
    return case.score(end.network)


SCHEDULES: dict[str, Way] = {
    "one-shot": tune_case,
    "linear, 4 stages": partial(tune_case, schedule=Schedule("linear", 4)),
    "cubic, 4 stages": partial(tune_case, schedule=Schedule("cubic", 4)),
    "cubic, half of the steps last": partial(tune_case, schedule=Schedule("cubic", 4, 0.5)),
}
RATES: dict[str, Way] = {
    "the training rate itself": partial(tune_case, rate=1.0),
    "1/10 of it": tune_case,
    "1/100 of it": partial(tune_case, rate=0.01),
}
TEACHERS: dict[str, Way] = {
    "labels alone": tune_case,
    "half from the teacher": partial(tune_case, distill=0.5),
    "0.9 from the teacher": partial(tune_case, distill=0.9),
}
NORMS: dict[str, Way] = {
    "nothing": partial(alone, refit=False, norms=False),
    "norms measured again": partial(alone, refit=False, norms=True),
    "least-squares refit": partial(alone, refit=True, norms=False),
    "refit, then norms": partial(alone, refit=True, norms=True),
}


def tables(short: float, long: float) -> dict[str, tuple[Mapping[str, Way], Sequence[Column]]]:
    """Every table by its title: its rows and its columns."""
    both = [Column("channel", short), Column("element", short)]
    lengths = [Column(kind, epochs) for kind in RATIOS for epochs in (short, long)]
    lengths.append(Column("element", long, rate=1.0))
    return {
        "Schedule": (SCHEDULES, lengths),
        "Learning rate": (RATES, both),
        "Distillation": (TEACHERS, both),
        "No fine-tuning": (NORMS, [Column("channel")]),
    }


def train_case(seed: int, epochs: float) -> Case:
    """The network of one seed."""
    splits = digits().splits()
    torch.manual_seed(seed)
    model = build_model("resnet8", 1, 10, 0.5)
    fit(model, splits.train, replace(TRAINING, epochs=epochs, seed=seed))
    example = splits.train.batch(slice(0, 1))[0]
    starts = {kind: Narrowed.start(model, decisions(model, example, kind)) for kind in RATIOS}
    return Case(starts, splits, seed)


def cell(values: Sequence[float]) -> str:
    """Mean and half interval."""
    return f"{sum(values) / len(values):.3f} ± {half_interval(values):.3f}"


def table(title: str, rows: Mapping[str, Way], columns: Sequence[Column], cases: list[Case]) -> str:
    """One table in Markdown."""
    lines = []
    for name, way in rows.items():
        cells = [cell([way(case, column) for case in cases]) for column in columns]
        lines.append([name, *cells])
    return markdown([title, *map(str, columns)], lines)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and write them with the machine's description."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.finetuning",
        description="What each way to fine-tune is worth.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many networks (default 3)")
    parser.add_argument("--epochs", type=float, default=TRAINING.epochs, help="of training")
    parser.add_argument("--short", type=float, default=SHORT, help="epochs of fine-tuning")
    parser.add_argument("--long", type=float, default=LONG, help="epochs of longer fine-tuning")
    parser.add_argument("--out", default="runs/bench-finetuning", help="folder for the results")
    asked = parser.parse_args(words)
    out, start = ready_folder(asked.out), time.perf_counter()
    cases = [train_case(seed, asked.epochs) for seed in range(asked.seeds)]
    unpruned = cell([case.score(case.model) for case in cases])
    parts = [f"Unpruned: {unpruned}, {asked.seeds} seeds."]
    print(parts[0], flush=True)
    for title, (rows, columns) in tables(asked.short, asked.long).items():
        parts.append(table(title, rows, columns, cases))
        print("\n" + parts[-1], flush=True)
    write_whole(out / "tables.md", "\n\n".join(parts) + "\n")
    about = {"seconds": time.perf_counter() - start, "seeds": asked.seeds, "machine": machine()}
    write_whole(out / "about.json", json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
