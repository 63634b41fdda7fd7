"""Pruning a pruned network further: what NetAdapt and iterative pruning go on from step by step.

The units that go are chosen by the network's present weights, which training may have changed
since the last step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from amc.graph import Group, Indices, Kept, KeptUnits, Layer, Part, PruningGraph
from amc.pruning.masks import held_masks, hold, plain_copy
from amc.pruning.pruner import Pruner
from amc.surgery import cut
from amc.tasks import Samples
from amc.weights import restore


@dataclass(frozen=True)
class Narrowed:
    """A network between two steps.

    Args:
        network: Really smaller, or of full size and held by masks.
        graph: Of this very network. At granularity "channel" its groups have the units that are
            left; at others it is the unpruned network's.
        kept: Units that are left, per group.
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
        calibration: Training samples, for criteria that need them and for the refit of layers
            that lose channels to their present outputs; None leaves the repair out.
        seed: Of the refit's random positions, and of the criterion.
    """

    def __init__(
        self, state: Narrowed, criterion: str, calibration: Samples | None = None, seed: int = 0
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
        units = pruner.units(counts)
        left = tuple(
            tuple(old[unit] for unit in new) for old, new in zip(self._units, units, strict=False)
        )
        return Narrowed(pruner.network(counts), narrower(graph, units), counts, left)


def narrow(
    state: Narrowed,
    kept: Sequence[int],
    criterion: str,
    calibration: Samples | None = None,
    seed: int = 0,
) -> Narrowed:
    """One step: `Narrowing` to these kept counts."""
    return Narrowing(state, criterion, calibration, seed).to(kept)


def narrower(graph: PruningGraph, units: KeptUnits) -> PruningGraph:
    """The graph of the network that is left when `graph`'s is cut to these units.

    Not traced again: what is left of a depthwise convolution of one channel looks like any other,
    and would fall out of its group.
    """
    outputs, inputs = graph.widths([len(staying) for staying in units])
    layers = map(_resize, graph.layers, outputs.tolist(), inputs.tolist())
    gone = _gone(graph, units)
    groups = tuple(
        _shorter(group, staying, gone) for group, staying in zip(graph.groups, units, strict=True)
    )
    return replace(graph, layers=tuple(layers), groups=groups)


def _resize(layer: Layer, outputs: int, inputs: int) -> Layer:
    if layer.depthwise:
        return replace(layer, outputs=outputs, inputs=outputs, groups=outputs)
    if layer.one_by_one:
        return replace(layer, outputs=outputs, inputs=inputs, groups=inputs)
    return replace(layer, outputs=outputs, inputs=outputs if layer.kind == "norm" else inputs)


Gone = Mapping[tuple[object, ...], list[int]]
"""Places that go, ascending, of each thing that has some."""


def _gone(graph: PruningGraph, units: KeptUnits) -> Gone:
    gone: dict[tuple[object, ...], list[int]] = {}
    for group, staying in zip(graph.groups, units, strict=True):
        leaving = set(range(group.units)) - set(staying)
        for part in group.parts:
            lost = gone.setdefault(part.where, [])
            lost += [index for unit in leaving for index in part.indices[unit]]
    return {where: sorted(lost) for where, lost in gone.items()}


def _shorter(group: Group, staying: tuple[int, ...], gone: Gone) -> Group:
    """Its units that stay, whose places move up into the gaps."""

    def renumbered(part: Part) -> Indices:
        lost = gone[part.where]
        return tuple(
            tuple(index - bisect_left(lost, index) for index in part.indices[unit])
            for unit in staying
        )

    left = group.moved(renumbered, units=len(staying))
    sizes = (replace(one, size=one.size - len(gone[one.where])) for one in left.statistics)
    return replace(left, statistics=tuple(sizes))
