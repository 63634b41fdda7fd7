"""One network, cut at several budgets, timed by both runtimes: `python -m ...widths.timing NAME`.

Its last line is JSON. Each network has a process of its own, as in the table of architectures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import nn

import amc
from amc.costs import COSTS, Limits, Macs
from amc.costs.latency import in_blocks
from amc.devices import own_threads
from amc.granularity import CHANNELS, Rounding
from amc.graph import PruningGraph
from amc.modules import Inputs, call, with_samples
from amc.policy import Budget
from amc.rules import uniform
from amc.surgery import cut
from experiments.latency import clock
from experiments.latency.profiling import export_network
from experiments.studies.architectures.networks import NETWORKS

AUTO, SINGLE = "auto", "single"
CUTS = ((0.75, AUTO), (0.5, AUTO), (0.25, AUTO), (0.5, SINGLE))
"""Budgets of MACs, and which counts are legal."""

RUNTIMES = ("onnxruntime", "torch")
THREADS, BATCHES = (1, 2), (1, 16)
SECONDS = 2.0
"""That the networks of one cell are timed for at the least, in turns."""


@dataclass(frozen=True)
class Cell:
    """One cut network in one setting.

    Args:
        name: Of the network.
        budget: Of MACs.
        counts: "auto" or "single".
        macs: What is left of them.
        runtime: "onnxruntime" or "torch".
        threads: That it may use.
        batch: Samples of a pass.
        unpruned: Seconds of the network as it came.
        again: The same, timed once more in the same turns.
        pruned: Seconds.
    """

    name: str
    budget: float
    counts: str
    macs: float
    runtime: str
    threads: int
    batch: int
    unpruned: float
    again: float
    pruned: float

    @property
    def where(self) -> tuple[object, ...]:
        """All but what was measured."""
        return self.budget, self.counts, self.runtime, self.threads, self.batch

    @property
    def left(self) -> float:
        """Of the time."""
        return 2 * self.pruned / (self.unpruned + self.again)

    @property
    def noise(self) -> float:
        """How far two timings of one network were apart."""
        return abs(self.unpruned / self.again - 1)

    @property
    def slower(self) -> bool:
        """Whether it takes longer than before, beyond the noise."""
        return self.left > 1 + self.noise


def networks(
    model: nn.Module, graph: PruningGraph
) -> Iterator[tuple[float, str, float, nn.Module]]:
    """Budget, counts, MACs that are left, and the network that uniform ratios make."""
    plain, macs = CHANNELS.rounding(), Macs(graph)
    legal: Mapping[str, Rounding] = {AUTO: in_blocks(graph, plain), SINGLE: plain}
    for budget, counts in CUTS:
        limits = Limits.of(graph, [Budget("macs", budget)], COSTS, legal[counts])
        kept = uniform(limits)
        smaller = cut(model, graph, tuple(tuple(range(count)) for count in kept))
        yield budget, counts, macs(kept) / macs(graph.full), smaller.eval()


def cells(name: str) -> list[Cell]:
    """All cells of a network."""
    torch.manual_seed(0)
    model, inputs = NETWORKS[name].build()
    model.eval()
    graph = amc.trace(model, inputs)
    cuts = list(networks(model, graph))
    models = [model, model, *(smaller for *_, smaller in cuts)]
    found = []
    for runtime, batch in product(RUNTIMES, BATCHES):
        loaded = _loaded(models, with_samples(inputs, batch), runtime)
        for threads in THREADS:
            with own_threads():
                rounds = clock.take_turns([load(threads) for load in loaded], SECONDS)
            first, again, *others = (clock.timing(one)["seconds"] for one in rounds)
            for (budget, counts, macs, _), pruned in zip(cuts, others, strict=True):
                found.append(
                    Cell(name, budget, counts, macs, runtime, threads, batch, first, again, pruned)
                )
    return found


def _loaded(
    models: Sequence[nn.Module], inputs: Inputs, runtime: str
) -> list[Callable[[int], clock.Run]]:
    """For each network what makes it ready to run by a number of threads."""
    if runtime == "torch":
        return [partial(_eager, model, inputs) for model in models]
    made = {id(model): export_network(model, inputs, runtime) for model in dict.fromkeys(models)}
    return [partial(clock.load, runtime, made[id(model)]) for model in models]


def _eager(model: nn.Module, inputs: Inputs, threads: int) -> clock.Run:
    """PyTorch as users run it."""
    torch.set_num_threads(threads)

    def run() -> Any:
        with torch.inference_mode():
            return call(model, inputs)

    return run


def main() -> int:
    """Time the network that is named, and print the cells."""
    print(json.dumps({"cells": [asdict(cell) for cell in cells(sys.argv[1])]}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
