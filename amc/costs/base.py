"""What every cost answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from amc.structure import PruningGraph


class Cost(Protocol):
    """One resource that a network uses.

    A cost is monotone: keeping more units of a group never makes it smaller. One that is a sum over
    layers also has `per_layer(kept)`: (layers,) its parts, in the order of the graph's layers.
    """

    @property
    def unit(self) -> str:
        """What the numbers count, for tables and messages."""
        ...

    def __call__(self, kept: Sequence[int]) -> float:
        """Cost of a forward pass, or of the stored network, at these kept counts."""
        ...


Costs = Mapping[str, Callable[[PruningGraph], Cost]]
"""By short name, what makes a cost for a network."""
