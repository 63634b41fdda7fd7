"""The network as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.granularity import CHANNELS, Granularity, Rounding
from amc.graph.amounts import Activation, Product
from amc.graph.branches import Branch
from amc.graph.groups import Group
from amc.graph.layers import SIDES, Layer, Side


@dataclass(frozen=True)
class Fixed:
    """A layer whose output channels all stay, and the reason."""

    name: str
    reason: str


Sparse = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""A matrix as pairs of (rows,) columns and the numbers that stand there; they add up to it."""


def _sparse(matrix: NDArray[np.int64]) -> Sparse:
    left, rows, parts = matrix.copy(), np.arange(len(matrix)), Sparse()
    while matrix.shape[1] and (left.any() or not parts):
        columns = left.argmax(1)
        parts.append((columns, left[rows, columns]))
        left[rows, columns] = 0
    return parts


@dataclass(frozen=True)
class PruningGraph:
    """The network as data: layers in forward order, groups in forward order, what is left alone.

    Args:
        layers: Weighted layers and norms in the order they first run.
        groups: The decisions, in forward order; where the granularity has both, those about
            channels come first, those that mask behind.
        fixed: Layers that no decision shrinks on their output side.
        other_params: Parameters outside of `layers` and `loose_params`, which pruning does not
            change.
        other_bytes: All that is stored outside of the layers' weights and statistics and of loose
            tensors, with 32 bits a floating-point number.
        granularity: What a unit is.
        exclude: Shell patterns of layers that were to stay whole.
        activations: All that a forward pass holds beside the stored weights.
        overwriting: Activations that may overwrite their input, as nothing else reads it.
        products: Multiply-accumulates of a sample that no layer has: of activations with each
            other, of recurrent layers, of weights outside of known modules.
        uncounted: Operations that may multiply and that nobody counts (PyTorch's counter neither),
            with their part of the numbers that a forward pass makes.
        loose_params: Numbers of parameters of no known module that shrink with a group.
        loose_buffers: The same of stored buffers.
        branches: Parts that may go as a whole.
    """

    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    fixed: tuple[Fixed, ...] = ()
    other_params: int = 0
    other_bytes: int = 0
    granularity: Granularity = CHANNELS
    exclude: tuple[str, ...] = ()
    activations: tuple[Activation, ...] = ()
    overwriting: tuple[str, ...] = ()
    products: tuple[Product, ...] = ()
    uncounted: tuple[tuple[str, float], ...] = ()
    loose_params: tuple[Product, ...] = ()
    loose_buffers: tuple[Product, ...] = ()
    branches: tuple[Branch, ...] = ()

    @cached_property
    def full(self) -> tuple[int, ...]:
        """Units of every group: the kept counts of the unpruned network."""
        return tuple(group.units for group in self.groups)

    @cached_property
    def channels(self) -> PruningGraph:
        """What there is to decide about channels where the granularity has both, else all."""
        if not self.granularity.channels:
            return self
        own = tuple(group for group in self.groups if not group.unit_weights)
        return replace(self, groups=own, granularity=CHANNELS)

    @cached_property
    def finer(self) -> tuple[Group, ...]:
        """The groups that mask, where the granularity has both."""
        return self.groups[len(self.channels.groups) :]

    def legal(self, rounding: Rounding) -> tuple[Sequence[int], ...]:
        """Legal kept counts above 0 of each group, ascending; the last is its full count.

        Args:
            rounding: Of its channels; of what masks its `finer`, or else the granularity's own.
        """
        own = rounding.legal(self.channels.full)
        if not self.finer:
            return own
        finer = rounding.finer or self.granularity.finer.rounding()
        return (*own, *finer.legal(self.full[len(own) :]))

    def ratios(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(..., groups) pruning ratios of kept counts of the same shape."""
        ratios: NDArray[np.float64] = 1 - np.asarray(kept) / np.array(self.full)
        return ratios

    @cached_property
    def layer_index(self) -> dict[str, int]:
        """Position of each layer in `layers` by its name."""
        return {layer.name: index for index, layer in enumerate(self.layers)}

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """(layers,) the group that decides a layer's outputs; -1 where none does."""
        owner = np.full(len(self.layers), -1, dtype=np.int64)
        for number, group in enumerate(self.groups):
            for name in group.layers:
                if owner[self.layer_index[name]] < 0:
                    owner[self.layer_index[name]] = number
        return owner

    @cached_property
    def width_maps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(layers, groups) channels that a unit takes on the output and on the input side."""
        maps = {side: np.zeros((len(self.layers), len(self.groups)), np.int64) for side in SIDES}
        for number, group in enumerate(self.groups):
            for member in group.members:
                row = self.layer_index[member.module]
                maps[member.side][row, number] = len(member.indices[0])
            for side, row, channels in self._own_sides(group):
                maps[side][row, number] = channels
        return maps["out"], maps["in"]

    def _own_sides(self, group: Group) -> Iterator[tuple[Side, int, int]]:
        """Sides of layers of their own that shrink with a group, and by how many channels a unit.

        A recurrent layer's unit stands in all gates of its weights, and is one of its outputs.
        """
        for part in group.slices:
            name = (
                part.tensor if part.tensor in self.layer_index else part.tensor.rpartition(".")[0]
            )
            row = self.layer_index.get(name)
            if part.side is None or row is None or self.layers[row].kind != "own":
                continue
            if name in group.layers:
                yield "out", row, max(1, self.layers[row].outputs // group.units)
            else:
                yield part.side, row, len(part.indices[0])

    @cached_property
    def _sparse_maps(self) -> tuple[Sparse, Sparse]:
        """The same, whose rows have few entries: one, but for layers that read several groups."""
        out_map, in_map = self.width_maps
        return _sparse(out_map), _sparse(in_map)

    @cached_property
    def channelwise(self) -> NDArray[np.bool_]:
        """(layers,) which layers treat each channel alone: norms and depthwise convolutions."""
        return np.array([layer.depthwise or layer.kind == "norm" for layer in self.layers])

    @cached_property
    def one_by_one(self) -> NDArray[np.bool_]:
        """(layers,) those, and convolutions that make several channels of each."""
        alone = [layer.one_by_one or layer.kind == "norm" for layer in self.layers]
        return np.array(alone, np.bool_)

    @cached_property
    def stored(self) -> NDArray[np.float64]:
        """(layers,) 1 where a layer's weights are stored with it, 0 where with one before it."""
        return np.array([not layer.shared for layer in self.layers], np.float64)

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """(layers,) weights of each layer for each pair of an output and an input that it reads."""
        return np.array([layer.area for layer in self.layers], np.float64)

    @cached_property
    def divisions(self) -> NDArray[np.int64]:
        """(layers,) parts of the inputs of which a filter reads one; 1 where channels are alone."""
        groups = np.array([layer.groups for layer in self.layers], np.int64)
        return np.where(self.one_by_one, 1, groups)

    @cached_property
    def _full_widths(self) -> NDArray[np.int64]:
        """(2, layers) output and input channels of the unpruned network."""
        return np.array([[x.outputs for x in self.layers], [x.inputs for x in self.layers]])

    @cached_property
    def least(self) -> tuple[int, ...]:
        """(groups,) units that must stay: 0 where the network goes on without, else 1."""
        ends = {group for branch in self.branches for group in branch.groups}
        return tuple(int(group not in ends) for group in range(len(self.groups)))

    def least_at(self, kept: ArrayLike) -> tuple[int, ...]:
        """(groups,) the least that each may keep at these counts: 0 in branches that are gone."""
        gone = {
            group
            for branch, ended in zip(self.branches, self.ended(kept), strict=True)
            if ended
            for group in branch.within
        }
        return tuple(int(group not in gone) for group in range(len(self.groups)))

    def ended(self, kept: ArrayLike) -> NDArray[np.bool_]:
        """(..., branches) which of them are gone.

        Args:
            kept: (..., groups) kept counts.
        """
        counts = np.asarray(kept, np.int64)
        gone = [(counts[..., list(branch.groups)] == 0).any(-1) for branch in self.branches]
        empty = np.zeros((*counts.shape[:-1], 0), np.bool_)
        return np.stack(gone, -1) if gone else empty

    def outermost(self, kept: ArrayLike) -> NDArray[np.bool_]:
        """The same, without those that lie in others that are gone: each leaves a constant."""
        ended = self.ended(kept)
        alone = np.array(ended)
        for row, inner in enumerate(self.branches):
            for at, outer in enumerate(self.branches):
                if at != row and inner.reader in outer.layers:
                    alone[..., row] &= ~ended[..., at]
        return alone

    def settled(self, kept: ArrayLike) -> NDArray[np.int64]:
        """The same kept counts with 0 for every group in a branch that is gone.

        Args:
            kept: (..., groups) kept counts.
        """
        counts = np.array(kept, np.int64)
        if self.branches and not counts.all():
            for _ in self.branches:  # Of branches within branches each may end the next.
                before, ended = counts.copy(), self.ended(counts)
                for at, branch in enumerate(self.branches):
                    counts[..., list(branch.within)] *= ~ended[..., at, None]
                if (before == counts).all():
                    break
        return counts

    def _present(self, counts: NDArray[np.int64]) -> NDArray[np.int64] | int:
        """(..., layers) 0 for layers that are gone, 1 for all others."""
        if not self.branches or counts.all():
            return 1
        gone = self.ended(counts).astype(np.int64) @ self._gone_layers
        present: NDArray[np.int64] = (gone == 0).astype(np.int64)
        return present

    @cached_property
    def _gone_layers(self) -> NDArray[np.int64]:
        """(branches, layers) 1 for what goes with each branch."""
        gone = np.zeros((len(self.branches), len(self.layers)), np.int64)
        for row, branch in enumerate(self.branches):
            gone[row, [self.layer_index[name] for name in branch.layers]] = 1
        return gone

    def widths(self, kept: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Output and input channels of every layer, each (..., layers); 0 of those that are gone.

        Exact: every unit of a group takes the same number of channels of a member.

        Args:
            kept: (..., groups) kept counts.
        """
        present = self._present(np.asarray(kept, np.int64))
        outputs, inputs = self.left_widths(kept)
        return outputs * present, inputs * present

    def left_widths(self, kept: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same, with those that layers in branches that are gone would have."""
        gone = np.asarray(self.full, np.int64) - np.asarray(kept, np.int64)
        outputs, inputs = (
            full - sum((gone.take(group, -1) * each for group, each in parts), np.int64(0))
            for full, parts in zip(self._full_widths, self._sparse_maps, strict=True)
        )
        return outputs, np.where(self.channelwise, outputs, inputs)
