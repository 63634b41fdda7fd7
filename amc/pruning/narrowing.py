"""Pruning a pruned network further: what NetAdapt and iterative pruning go on from step by step.

The units that go are chosen by the network's present weights, which training may have changed
since the last step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amc.graph import Kept, KeptUnits, PruningGraph, narrower
from amc.pruning.masks import held_masks, hold, plain_copy
from amc.pruning.pruner import Pruner
from amc.surgery import cut
from amc.tasks import Calibration
from amc.weights import restore


@dataclass(frozen=True)
class Narrowed:
    """A network between two steps.

    Args:
        network: Really smaller, or of full size and held by masks.
        graph: Of this very network. At granularity "channel" its groups are those of the unpruned
            network that are left, with the units that are; at others it is the unpruned network's.
        kept: Units that are left of each group of the unpruned network.
        units: Which of the unpruned network's these are; empty at granularities that mask.
    """

    network: nn.Module
    graph: PruningGraph
    kept: Kept
    units: KeptUnits = ()

    @classmethod
    def start(cls, model: nn.Module, graph: PruningGraph) -> Narrowed:
        """The unpruned network, which narrowing never changes."""
        channels = not graph.granularity.masks
        units = tuple(tuple(range(count)) for count in graph.full) if channels else ()
        return cls(model, graph, graph.full, units)

    def pack(self) -> dict[str, Tensor]:
        """The whole state as tensors, which `unpacked` turns back."""
        units = {f"units.{group}": torch.tensor(left) for group, left in enumerate(self.units)}
        network = {f"network.{name}": item for name, item in self.network.state_dict().items()}
        return {"kept": torch.tensor(self.kept), **units, **network}

    @classmethod
    def unpack(cls, start: Narrowed, state: Mapping[str, Tensor]) -> Narrowed:
        """What was packed of a network that was narrowed from `start`, however often."""
        kept = tuple(state["kept"].tolist())
        weights = {
            name.removeprefix("network."): tensor
            for name, tensor in state.items()
            if name.startswith("network.")
        }
        if start.units:
            units = tuple(tuple(state[f"units.{group}"].tolist()) for group in range(len(kept)))
            network, graph = cut(start.network, start.graph, units), narrower(start.graph, units)
        else:
            units, end = (), ".parametrizations.weight.0.kept"
            masks = {n.removesuffix(end): m for n, m in weights.items() if n.endswith(end)}
            network, graph = hold(plain_copy(start.network), masks), start.graph
        restore(network, weights)
        return cls(network.eval(), graph, kept, units)


class Narrowing:
    """What the next step does to one network: ranks its units once, for any number of proposals.

    Args:
        state: The network as it is now.
        criterion: Short name of what ranks its units.
        calibration: Training data, for criteria that need them and for the refit of layers
            that lose channels to their present outputs; None leaves the repair out.
        seed: Of the refit's random positions, and of the criterion.
    """

    def __init__(
        self, state: Narrowed, criterion: str, calibration: Calibration | None = None, seed: int = 0
    ) -> None:
        # Not the state itself: masks cannot be pickled.
        self._graph, self._units = state.graph, state.units
        held = held_masks(state.network)
        plain = plain_copy(state.network) if held else state.network
        self._pruner = Pruner.of(
            plain, state.graph, criterion, calibration=calibration, seed=seed, held=held
        )

    def to(self, kept: Sequence[int]) -> Narrowed:
        """A copy of the network with no more than these units of each group.

        Args:
            kept: Per group, at most what is left.
        """
        counts, graph, pruner = tuple(map(int, kept)), self._graph, self._pruner
        if pruner.orders:
            return Narrowed(pruner.trainable(counts), graph, counts)
        there = [group for group, old in enumerate(self._units) if old]
        units = pruner.units([counts[group] for group in there])
        left = list(self._units)
        for group, new in zip(there, units, strict=True):
            left[group] = tuple(left[group][unit] for unit in new)
        present = [len(new) for new in units]
        network, found = pruner.network(present), narrower(graph, units)
        return Narrowed(network, found, tuple(map(len, left)), tuple(left))


def narrow(
    state: Narrowed,
    kept: Sequence[int],
    criterion: str,
    calibration: Calibration | None = None,
    seed: int = 0,
) -> Narrowed:
    """One step: `Narrowing` to these kept counts."""
    return Narrowing(state, criterion, calibration, seed).to(kept)
