"""Groups of channels that must go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amc.graph.layers import Indices, Side


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
