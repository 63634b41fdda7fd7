"""What every cost answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from amc.graph import PruningGraph


class Cost(Protocol):
    """One resource that a network uses.

    A cost is monotone: keeping more units of a group never makes it smaller. One that is a sum over
    layers also has `per_layer(kept)`: (layers,) its parts, in the order of the graph's layers. One
    that can be asked about many policies at once has `each(kept)`: from (policies, groups) kept
    counts (policies,) numbers, the same as one by one.
    """

    @property
    def unit(self) -> str:
        """What the numbers count, for tables and messages."""
        ...

    def __call__(self, kept: Sequence[int]) -> float:
        """Cost of a forward pass, or of the stored network, at these kept counts."""
        ...


def costs_of(cost: Cost, kept: NDArray[np.int64]) -> NDArray[np.float64]:
    """(policies,) a cost at (policies, groups) kept counts."""
    each = getattr(cost, "each", None)
    found = each(kept) if each else [cost(row) for row in kept.tolist()]
    return np.asarray(found, np.float64)


Costs = Mapping[str, Callable[[PruningGraph], Cost]]
"""By short name, what makes a cost for a network."""
