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
from amc.pruning.masks import held_masks, hold, mixed_graph, plain_copy
from amc.pruning.pruner import Pruner
from amc.surgery import cut
from amc.tasks import Calibration
from amc.weights import restore


@dataclass(frozen=True)
class Narrowed:
    """A network between two steps.

    Args:
        network: Really smaller, or of full size, and held by masks.
        graph: Of this very network. At granularity "channel" its groups are those of the unpruned
            network that are left, with the units that are; at those that only mask it is the
            unpruned network's. Groups that mask keep the units that they came with.
        kept: Units that are left of each group of the unpruned network.
        units: Which of the unpruned network's these are, of groups of channels; empty where there
            are none.
        masked: Where there are both, the layers whose weights the others are, in the unpruned
            network.
    """

    network: nn.Module
    graph: PruningGraph
    kept: Kept
    units: KeptUnits = ()
    masked: tuple[str, ...] = ()

    @classmethod
    def start(cls, model: nn.Module, graph: PruningGraph) -> Narrowed:
        """The unpruned network, which narrowing never changes."""
        channels = graph.channels.full if graph.granularity.cuts else ()
        units = tuple(tuple(range(count)) for count in channels)
        return cls(model, graph, graph.full, units, tuple(one.layers[0] for one in graph.finer))

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
        units = tuple(tuple(state[f"units.{group}"].tolist()) for group in range(len(start.units)))
        network, graph, end = start.network, start.graph, ".parametrizations.weight.0.kept"
        if units:
            network, graph = cut(network, graph.channels, units), _narrower(graph, units)
        masks = {n.removesuffix(end): m for n, m in weights.items() if n.endswith(end)}
        if masks or not units:
            network = hold(plain_copy(network), masks)
        restore(network, weights)
        return cls(network.eval(), graph, kept, units, start.masked)


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
        self._graph, self._units, self._masked = state.graph, state.units, state.masked
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
        if not graph.granularity.cuts:
            return Narrowed(pruner.trainable(counts), graph, counts)
        channels, finer = counts[: len(self._units)], counts[len(self._units) :]
        masks = zip(self._masked, finer, strict=True)
        held = [count for layer, count in masks if layer in graph.layer_index]
        there = [group for group, old in enumerate(self._units) if old]
        units = pruner.units([*(channels[group] for group in there), *held])
        left = list(self._units)
        for group, new in zip(there, units, strict=True):
            left[group] = tuple(left[group][unit] for unit in new)
        network = pruner.trainable([*map(len, units), *held])
        now = (*map(len, left), *finer)
        return Narrowed(network, _narrower(graph, units), now, tuple(left), self._masked)


def _narrower(graph: PruningGraph, units: KeptUnits) -> PruningGraph:
    """The graph of what is left; its groups that mask are those of layers that are."""
    left = narrower(graph.channels, units)
    return mixed_graph(left, graph.finer, graph.granularity) if graph.finer else left


def narrow(
    state: Narrowed,
    kept: Sequence[int],
    criterion: str,
    calibration: Calibration | None = None,
    seed: int = 0,
) -> Narrowed:
    """One step: `Narrowing` to these kept counts."""
    return Narrowing(state, criterion, calibration, seed).to(kept)
