"""One network of the table, tried as a new user would: `python -m ...architectures.measuring NAME`.

It prints a line of JSON. Each network has a process of its own, because some take gigabytes and
others change settings of their package.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

import amc
from amc.costs import Amounts, Macs, Params
from amc.graph import PruningGraph
from amc.modules import Inputs, call
from amc.policy import Budget
from amc.pruning import policy_of
from amc.rules import uniform_policy
from experiments.studies.architectures.counting import counted_macs
from experiments.studies.architectures.networks import NETWORKS

BUDGET = Budget("macs", 0.6)
RANDOM = 2
"""Random policies at which the counts are compared; in the last one branches are gone too."""

GONE = 0.3
"""Part of the branches."""

HEAD = "its channels are outputs of the network"


@dataclass(frozen=True)
class Row:
    """What was found of a network.

    Args:
        name: Of the network.
        params: Its parameters.
        macs: Of a forward pass, by PyTorch's counter.
        seconds: Of a forward pass of the processor's time, the fastest of two.
        seen: Our count of MACs as a part of PyTorch's.
        free: Part of the parameters that lie in layers whose outputs can be cut, or that make what
            the network returns and whose inputs can.
        groups: How many decisions there are.
        branches: Parts that may go as a whole.
        traced: Processor seconds of `amc.trace`.
        left: Part of the MACs that PyTorch's counter finds after uniform ratios under `BUDGET`.
        off: Largest difference of the counts after pruning, at those and at random policies, as a
            part of the unpruned MACs.
        whole: Why layers stay whole, with their part of the parameters, the largest first.
        peer: What torch-pruning leaves of the MACs at a ratio of a half; None where it fails.
        peer_error: Why.
        error: The step that failed, with the exception.
    """

    name: str
    params: int = 0
    macs: float = 0.0
    seconds: float = 0.0
    seen: float | None = None
    free: float | None = None
    groups: int = 0
    branches: int = 0
    traced: float | None = None
    left: float | None = None
    off: float | None = None
    whole: tuple[tuple[str, float], ...] = ()
    peer: float | None = None
    peer_error: str = ""
    error: str = ""

    @property
    def of_bar(self) -> float:
        """Time of tracing as a part of twenty forward passes' and 2 s."""
        return (self.traced or 0) / (20 * self.seconds + 2)


def measure(name: str) -> Row:
    """Everything about one network but the peer; what fails is noted, with the step."""
    row = Row(name)
    step = "build"
    try:
        torch.manual_seed(0)
        model, inputs = NETWORKS[name].build()
        model.eval()
        row = replace(row, params=sum(p.numel() for p in model.parameters()))
        step = "count"
        row = replace(row, macs=counted_macs(model, inputs), seconds=_forward(model, inputs))
        gc.collect()  # of what the imports left, which is no part of tracing
        step, start = "trace", time.process_time()
        graph = amc.trace(model, inputs)
        row = replace(row, traced=time.process_time() - start, groups=len(graph.groups))
        row = replace(row, branches=len(graph.branches))
        ours = Macs(graph)(graph.full)
        row = replace(row, seen=ours / row.macs, free=_free(graph, model), whole=_whole(graph))
        step = "prune"
        for kept in (uniform_policy(graph, BUDGET).kept, *_random(graph)):
            left, off = _left(model, inputs, graph, kept, row.macs)
            row = replace(
                row, left=left if row.left is None else row.left, off=max(off, row.off or 0.0)
            )
    except Exception as error:
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}".partition("\n")[0]
        return replace(row, error=f"{step}: {told}"[:400])
    return row


def _forward(model: nn.Module, inputs: Inputs) -> float:
    taken = []
    with torch.no_grad():
        for _ in range(2):
            start = time.process_time()
            call(model, inputs)
            taken.append(time.process_time() - start)
    return min(taken)


def _left(
    model: nn.Module, inputs: Inputs, graph: PruningGraph, kept: Sequence[int], macs: float
) -> tuple[float, float]:
    """Of the MACs by PyTorch's counter, and how far ours are from that."""
    policy = policy_of(graph, kept)
    pruned = amc.prune(model, policy, inputs, graph=graph)
    found = counted_macs(pruned, inputs)
    return found / macs, abs(Macs(graph)(kept) - found) / macs


def _random(graph: PruningGraph) -> list[tuple[int, ...]]:
    """Counts of every group, and some in which a few branches are gone."""
    chance = np.random.default_rng(0)
    groups = len(graph.groups)
    kept = [_kept(graph, row) for row in chance.uniform(0, 0.8, (RANDOM, groups))]
    if graph.branches:
        gone = (chance.random(groups) < GONE) & (np.array(graph.least) == 0)
        fewer = graph.settled(np.where(gone, 0, kept[-1]))
        kept[-1] = tuple(fewer.tolist())
    return kept


def _kept(graph: PruningGraph, ratios: Any) -> tuple[int, ...]:
    return tuple(
        max(1, round(units * (1 - ratio))) for units, ratio in zip(graph.full, ratios, strict=True)
    )


def _free(graph: PruningGraph, model: nn.Module) -> float:
    """Part of the parameters in layers whose outputs can be cut, and in loose ones that shrink.

    What makes the network's own outputs counts where its inputs can be cut.
    """
    made = {name for group in graph.groups for name in group.layers}
    heads = {item.name for item in graph.fixed if item.reason == HEAD}
    made |= {m.module for group in graph.groups for m in group.members if m.module in heads}
    made |= {m.module for group in graph.groups for m in group.members if m.side == "out"}
    own = Params(graph).per_layer(graph.full)
    loose = Amounts(graph.loose_params, graph)(graph.full)
    total = sum(parameter.numel() for parameter in model.parameters())
    return float(own[[graph.layer_index[name] for name in made]].sum() + loose) / total


def _whole(graph: PruningGraph) -> tuple[tuple[str, float], ...]:
    weights = {layer.name: layer.weights for layer in graph.layers}
    total = sum(weights.values()) or 1
    shares: dict[str, float] = defaultdict(float)
    for item in graph.fixed:
        if item.reason != HEAD:
            shares[_family(item.reason)] += weights.get(item.name, 0) / total
    return tuple(
        (reason, round(share, 3))
        for reason, share in sorted(shares.items(), key=lambda item: -item[1])[:4]
    )


def _family(reason: str) -> str:
    """A reason without the names and numbers of one layer."""
    plain = re.sub(r"it meets \S+,", "it meets X,", reason)
    plain = re.sub(r"with \S+\.\S+", "with Y", plain)
    return re.sub(r"\d+", "N", plain)[:200]


def main() -> int:
    """Measure the network that is named, and print what was found."""
    print(json.dumps(asdict(measure(sys.argv[1]))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
