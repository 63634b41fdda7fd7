"""What measuring batch norms again is worth behind masks: `python -m experiments.studies.masks`.

The shipped networks on Fashion-MNIST lose the same part of every layer, by magnitude and without
any fine-tuning. Each is then measured as it is, and with its batch norms measured again on 200, 500
and 2,000 training images; accuracies are those on 1,000 held-out images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from amc.evaluation import recalibrate
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import uniform
from amc.tasks import Classification
from experiments.disk import in_short, machine
from experiments.settings import NetworkSettings
from experiments.studies.accuracies import fast_accuracy, held_out
from experiments.studies.markdown import markdown
from experiments.zoo import Workload, load_workload

NETWORKS = (NetworkSettings("resnet20"), NetworkSettings("mobilenet-v1", width=0.5))
CASES = (("element", 0.3), ("2:4", 0.55), ("kernel", 0.5))
IMAGES = (0, 200, 500, 2000)
HELD_OUT = 1000


@dataclass(frozen=True)
class Row:
    """One network at one granularity, and its accuracy for each of `IMAGES`."""

    model: str
    granularity: str
    budget: float
    accuracies: tuple[float, ...]


def row(model: str, workload: Workload, granularity: str, budget: float) -> Row:
    """Prune uniformly and measure."""
    problem = Problem(
        workload.model,
        workload.example,
        [Budget("params", budget)],
        task=Classification(None, workload.splits.holdout.take(slice(0, HELD_OUT))),
        granularity=granularity,
    )
    kept = uniform(problem.limits)
    found = []
    for images in IMAGES:
        network = problem.network(kept)
        if images:
            recalibrate(network, workload.splits.train.take(slice(0, images)))
        found.append(fast_accuracy(network, problem.graph, held_out(problem)))
    return Row(model, granularity, budget, tuple(found))


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    heads = ["network", "granularity", "parameters left", "as it is"]
    lines = []
    for item in rows:
        told = [item.model, item.granularity, f"{item.budget:.0%}"]
        lines.append([*told, *(f"{accuracy:.3f}" for accuracy in item.accuracies)])
    return markdown([*heads, *(f"{count:,} images" for count in IMAGES[1:])], lines)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table and what it was made with."""
    argparse.ArgumentParser(
        prog="python -m experiments.studies.masks",
        description="What measuring batch norms again is worth behind masks.",
    ).parse_args(words)
    rows = []
    for config in NETWORKS:
        workload = load_workload(config)
        rows += [row(config.model, workload, *case) for case in CASES]
    print(table(rows))
    print(f"\n{in_short(machine())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
