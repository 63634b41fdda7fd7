"""How unequally costs fall, and what memory is worth: `python -m experiments.studies.costs`.

The first table is arithmetic: resnet20 for images of 28 x 28 under one budget or another, and what
is left of every cost. The second puts the cost `memory` beside what PyTorch's allocator hands out,
for networks of the zoo at half of their MACs, by the events of PyTorch's own profiler.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from amc.costs import COSTS, Limits, Memory
from amc.graph import PruningGraph
from amc.policy import Budget
from amc.pruning import decisions
from amc.rules import depths, project
from amc.surgery import cut
from experiments.disk import in_short, machine
from experiments.studies.allocator import peak_bytes
from experiments.studies.markdown import markdown
from experiments.terminal import measure, percent
from experiments.zoo import build_model

IMAGE = (1, 28, 28)

SHAPES: dict[str, Callable[[PruningGraph], np.ndarray]] = {
    "uniform": lambda graph: np.full(len(graph.groups), 0.5),
    "shallow": lambda graph: 1 - depths(graph),
    "deep": depths,
}
"""Pruning ratios before they are scaled to the budget."""

CASES = (
    *(("channel", shape, "macs=0.5") for shape in SHAPES),
    *(("channel", "uniform", f"{name}=0.5") for name in ("size", "memory", "energy")),
    ("element", "uniform", "energy=0.5"),
)
"""Granularity, where more is pruned, and the budget."""

NETWORKS = ("resnet20", "mobilenet-v1", "mobilenet-v2", "vgg-small", "alexnet-small")
BATCHES = (1, 64)


def network(name: str) -> nn.Module:
    """Of the zoo, with random weights: costs do not depend on them."""
    torch.manual_seed(0)
    return build_model(name, IMAGE[0], 10).eval()


def kept_at(graph: PruningGraph, shape: str, budget: str) -> tuple[int, ...]:
    """Kept counts that use a budget up."""
    rounding = graph.granularity.rounding()
    limits = Limits.of(graph, [Budget.parse(budget)], COSTS, rounding)
    return project(limits, SHAPES[shape](graph))


def falling(name: str) -> str:
    """What is left of every cost, in Markdown: one row a case."""
    model, rows = network(name), []
    graphs = {
        unit: decisions(model, torch.zeros(1, *IMAGE), unit) for unit in ("channel", "element")
    }
    for unit, shape, budget in CASES:
        graph = graphs[unit]
        kept = kept_at(graph, shape, budget)
        costs = [make(graph) for make in COSTS.values()]
        left = [percent(cost(kept) / cost(graph.full)) for cost in costs]
        rows.append([f"`{budget}`", unit, shape, *left])
    graph = graphs["channel"]
    full = [measure(make(graph)(graph.full), make(graph).unit) for make in COSTS.values()]
    heads = ["budget", "granularity", "more is pruned", *(f"`{cost}`" for cost in COSTS)]
    return markdown(heads, [["none", "", "", *full], *rows])


def memory_table(names: Iterable[str], batches: Iterable[int]) -> str:
    """Memory as counted and as measured, in Markdown."""
    rows = []
    for name in names:
        model = network(name)
        graph = decisions(model, torch.zeros(1, *IMAGE))
        kept = kept_at(graph, "uniform", "macs=0.5")
        smaller = cut(model, graph, tuple(tuple(range(count)) for count in kept))
        for batch in batches:
            images = torch.zeros(batch, *IMAGE)
            there = [*smaller.parameters(), *smaller.buffers(), images]
            real = sum(tensor.nbytes for tensor in there) + peak_bytes(smaller, images)
            said = Memory(graph, batch)(kept)
            sizes = [measure(size, "bytes") for size in (said, real)]
            rows.append([name, str(batch), *sizes, f"{real / said - 1:+.1%}"])
    return markdown(["network", "batch", "`memory`", "measured", "difference"], rows)


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables and what they were made with."""
    argparse.ArgumentParser(
        prog="python -m experiments.studies.costs",
        description="How unequally costs fall under one budget; memory beside the allocator's.",
    ).parse_args(words)
    torch.set_num_threads(1)
    print(falling("resnet20"), memory_table(NETWORKS, BATCHES), sep="\n\n")
    print(f"\n{in_short(machine())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
