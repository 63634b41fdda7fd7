"""The network as plain data: its layers, and its groups of channels that must go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.granularity import CHANNELS, Granularity

Kept = tuple[int, ...]
"""Units that stay, per group."""

KeptUnits = tuple[tuple[int, ...], ...]
"""For each group, which units stay, ascending."""

Indices = tuple[tuple[int, ...], ...]
"""For each unit of a group, the places that it takes along one axis."""

NUMBER_BYTES = 4
"""Of a floating-point number, wherever bytes are counted."""

Side = Literal["out", "in"]
SIDES: tuple[Side, Side] = ("out", "in")


@dataclass(frozen=True)
class Layer:
    """A convolution, linear layer, norm or embedding, with what its costs need.

    Args:
        name: Dotted name of the module.
        kind: "conv", "linear", "norm" (which has weights for each channel alone, slopes of a PReLU
            among them), "embedding" (whose inputs are the words that it knows), or "own" (a weight
            that a module's own code multiplies with, or a recurrent layer; its numbers and work
            stand in the graph's loose tensors and products).
        outputs: n, output channels.
        inputs: c, input channels.
        groups: Of a grouped convolution; 1 elsewhere.
        kernel: Size along each axis; empty for linear layers and norms.
        stride: Along each axis; empty for linear layers and norms.
        in_size: Spatial size of the input, without batch and channels.
        positions: Positions per sample that every weight is multiplied at, summed over the calls of
            a shared module: of the output, of a transposed convolution's input; 0 for an embedding.
            Where `over` is set, for each output channel of that layer.
        over: Name of the layer whose channels are places of this one (a mixer's layers over places
            run once for each channel); empty for none.
        area: Weights for each pair of an output and an input that it reads: k x k, or 1 for a
            linear layer, or 0 for a norm.
        extra: Weights for each output alone: a bias, or a norm's scale and shift.
        statistics: Numbers for each output alone that are stored and no weights: running means and
            variances.
        read: Places per sample of what it reads, of each input channel; counted as `positions` are.
        written: The same of what it makes, of each output channel.
        norm: Name of the batch norm that alone reads this layer's output, if there is one.
        activation: The same of an activation that PyTorch can let overwrite its input.
        extra_inputs: Weights for each input alone: lengths, of a transposed convolution's norm.
        shared: Its weights are stored once with those of a layer before it.
        computed: It multiplies with a weight that it computes from the stored one.
    """

    name: str
    kind: Literal["conv", "linear", "norm", "embedding", "own"]
    outputs: int
    inputs: int
    groups: int = 1
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    in_size: tuple[int, ...] = ()
    positions: float = 0
    area: int = 0
    extra: int = 0
    norm: str | None = None
    over: str = ""
    statistics: int = 0
    read: float = 0
    written: float = 0
    activation: str | None = None
    extra_inputs: int = 0
    shared: bool = False
    computed: bool = False

    @property
    def depthwise(self) -> bool:
        """One filter per channel, so that outputs and inputs go together."""
        return self.one_by_one and self.inputs == self.outputs

    @property
    def one_by_one(self) -> bool:
        """A grouped convolution in which a filter reads one channel; it may make several of it."""
        return self.groups > 1 and self.groups == self.inputs

    @property
    def weights(self) -> int:
        """Weights that connect inputs to outputs, without biases; 0 for a norm."""
        return self.area * self.outputs * (self.inputs // self.groups)


@dataclass(frozen=True)
class Member:
    """One side of one module that loses channels with a group.

    Args:
        module: Dotted name.
        side: "out" for output channels (and for norms and depthwise layers), "in" for inputs.
        indices: For each unit of the group, the positions it takes along that side.
    """

    module: str
    side: Side
    indices: Indices

    @property
    def where(self) -> tuple[object, ...]:
        """What its places are places of."""
        return self.module, self.side

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(units, channels of a unit) the same as an array."""
        return np.array(self.indices, np.int64)


@dataclass(frozen=True)
class Slice:
    """An axis of a parameter or buffer outside of known modules, which loses places with a group.

    Args:
        tensor: Dotted name.
        axis: From 0.
        indices: For each unit of the group, the places that it takes along that axis.
        side: Of a weight that code multiplies with: "out" where the axis has the channels that it
            so makes, "in" where those that it reads; None of every other tensor.
    """

    tensor: str
    axis: int
    indices: Indices
    side: Side | None = None

    @property
    def where(self) -> tuple[object, ...]:
        """What its places are places of."""
        return self.tensor, self.axis

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(units, places of a unit) the same as an array."""
        return np.array(self.indices, np.int64)


@dataclass(frozen=True)
class Statistic:
    """An operation of a network's code over channels: their mean, say, or a norm's.

    A channel of zeros would count in it, so that a masked network takes it over those that stay.

    Args:
        operation: Name of the operation.
        call: Its number among the operations of this name in a forward pass, from 0.
        axis: Of its first tensor, from 0; the channels lie along it.
        size: Places along the axis.
        indices: For each unit of the group, the places that it takes along that axis.
    """

    operation: str
    call: int
    axis: int
    size: int
    indices: Indices

    @property
    def where(self) -> tuple[object, ...]:
        """What its places are places of."""
        return self.operation, self.call, self.axis

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(units, places of a unit) the same as an array."""
        return np.array(self.indices, np.int64)


Part = Member | Slice | Statistic
"""Something in which each unit of a group has places."""


@dataclass(frozen=True)
class Attribute:
    """A whole number that a module's own code reads, and that must change with a cut.

    Args:
        module: Dotted name; empty for the network itself.
        name: Of the attribute, such as num_heads.
        per_unit: Its value is this times the units that stay.
    """

    module: str
    name: str
    per_unit: int


@dataclass(frozen=True)
class Group:
    """Units that are pruned by one decision; unit u removes `indices[u]` from every member.

    Args:
        name: Name of its first layer in forward order.
        units: How many there are.
        members: All that shrinks when a unit goes.
        layers: Weighted layers whose outputs these are, in forward order; the first is described
            to the agent. At a granularity that masks, the one layer whose weights the units are.
        unit_weights: At a granularity that masks, weights that each unit takes; there are no
            members then, because no shape changes.
        attributes: Numbers of modules that change with the units that stay.
        slices: Tensors of no known module that shrink as well.
        statistics: Operations over the group's channels.
    """

    name: str
    units: int
    members: tuple[Member, ...]
    layers: tuple[str, ...]
    unit_weights: int = 0
    attributes: tuple[Attribute, ...] = ()
    slices: tuple[Slice, ...] = ()
    statistics: tuple[Statistic, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All in which each unit has places."""
        return (*self.members, *self.slices, *self.statistics)

    def moved(self, change: Callable[[Part], Indices], **other: Any) -> Group:
        """The group with other places in each of its parts, and with other fields.

        Args:
            change: Gives the new places of a part.
            other: As for `dataclasses.replace`.
        """
        return replace(
            self,
            members=tuple(replace(one, indices=change(one)) for one in self.members),
            slices=tuple(replace(one, indices=change(one)) for one in self.slices),
            statistics=tuple(replace(one, indices=change(one)) for one in self.statistics),
            **other,
        )


@dataclass(frozen=True)
class Width:
    """Size of a tensor along an axis that shrinks with some groups.

    Args:
        fixed: What no group takes.
        parts: Groups, by their place in the graph, and what each of their units takes.
    """

    fixed: int
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Product:
    """An amount that is `each` times all its widths: work that no layer does, or a tensor's size.

    Args:
        name: The module in whose code the work is done, empty for the network's own; or the tensor.
        each: For one place of every width.
        widths: Those that shrink.
    """

    name: str
    each: float
    widths: tuple[Width, ...] = ()


def lies_in(name: str, module: str) -> bool:
    """Whether a module, or a tensor, is a module or lies in it; all by dotted names."""
    return name == module or name.startswith(f"{module}.")


@dataclass(frozen=True)
class Branch:
    """A part of the network that is gone where any of its groups keeps nothing.

    Whoever read what it made then reads a constant: what the biases behind the groups come to.

    Args:
        name: The module in whose place the constant stands.
        groups: By their place in the graph; any of them at 0 ends the branch.
        within: All groups that go with it.
        layers: Layers that are gone then.
        reader: The layer that reads the group before the end: the constant begins with its bias.
        behind: Modules behind it that make the constant of that, in order.
        width: Numbers of the constant: the reader's output channels.
        form: "constant" where a tensor of one place will do, "filled" where it must have all places
            of what the module reads, "bypass" where the module adds the branch to something else
            and does that alone from now on.
        axis: Of the constant's channels, from the last.
        axes: Of the constant.
        returns: Of a module that returns a tuple, its length; 0 elsewhere. The constant comes
            first, nothing behind it.
        passing: Modules that hand on what they read, with the lengths of the tuples they return.
        shortcut: Of a bypass, the module inside of it that the rest goes through; empty for none.
        activation: Of a bypass, the module inside of it that runs last, "relu()" for the function;
            empty for none.
        other_params: Parameters that are gone as well, outside of `layers` and of loose tensors.
        other_bytes: Bytes of all that is, as the graph's `other_bytes` counts them.
    """

    name: str
    groups: tuple[int, ...]
    within: tuple[int, ...]
    layers: tuple[str, ...]
    reader: str
    behind: tuple[str, ...]
    width: Width
    form: Literal["constant", "filled", "bypass"]
    axis: int
    axes: int
    returns: int = 0
    passing: tuple[tuple[str, int], ...] = ()
    shortcut: str = ""
    activation: str = ""
    other_params: int = 0
    other_bytes: int = 0

    def covers(self, name: str) -> bool:
        """Whether a module, or a tensor in one, is gone with the branch.

        Args:
            name: Dotted.
        """
        gone = lies_in(name, self.name) or any(lies_in(name, outer) for outer, _ in self.passing)
        return gone and not (self.shortcut and lies_in(name, f"{self.name}.{self.shortcut}"))


@dataclass(frozen=True)
class Activation:
    """A tensor that a forward pass holds: of its bytes there are `each` times all its widths.

    Args:
        first: Number of the operation that makes it, from 0.
        last: Number of the last operation during which it is held.
        each: Bytes for each product of the widths, of `samples` samples.
        widths: Its axes that shrink.
        samples: In the pass that was traced; 0 where the tensor does not grow with the batch.
    """

    first: int
    last: int
    each: float
    widths: tuple[Width, ...] = ()
    samples: int = 0


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
        groups: The decisions, in forward order.
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
        return maps["out"], maps["in"]

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
