"""torch-pruning on the same networks: `python -m ...architectures.peers NAME` prints its share."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import torch
from torch import nn

from experiments.studies.architectures.counting import counted_macs
from experiments.studies.architectures.networks import NETWORKS

RATIO = 0.5


def left(name: str) -> float:
    """Part of the MACs that stay at a ratio of a half, heads left alone as its examples do."""
    pruning = import_module("torch_pruning")
    torch.manual_seed(0)
    model, inputs = NETWORKS[name].build()
    model.eval()
    whole = counted_macs(model, inputs)
    pruner = pruning.pruner.MagnitudePruner(
        model,
        inputs,
        importance=pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=RATIO,
        ignored_layers=_heads(model),
        num_heads=_heads_of_attention(model),
    )
    pruner.step()
    return counted_macs(model, inputs) / whole


def _heads(model: nn.Module) -> list[nn.Module]:
    """The last linear layer or convolution, which makes the outputs."""
    kinds_ = (nn.Linear, nn.Conv2d, nn.Conv1d)
    made: list[nn.Module] = [one for one in model.modules() if isinstance(one, kinds_)]
    return made[-1:]


def _heads_of_attention(model: nn.Module) -> dict[nn.Module, int]:
    """Projections to queries, keys and values at once, with how many heads they have."""
    found: dict[nn.Module, int] = {}
    for module in model.modules():
        heads = getattr(module, "num_heads", None)
        for child in module.children():
            several = isinstance(child, nn.Linear) and child.out_features == 3 * child.in_features
            if isinstance(heads, int) and several:
                found[child] = heads
    return found


def main() -> int:
    """Prune the network that is named."""
    try:
        told: dict[str, float | str] = {"left": left(sys.argv[1])}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:200]}
    print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
