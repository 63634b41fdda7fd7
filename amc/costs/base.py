"""What every cost answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Cost(Protocol):
    """One resource that a network uses.

    A cost is monotone: keeping more units of a group never makes it smaller.
    """

    @property
    def unit(self) -> str:
        """What the numbers count, for tables and messages."""
        ...

    def __call__(self, kept: Sequence[int]) -> float:
        """Cost of one sample's forward pass, or of the stored network, at these kept counts."""
        ...

    def per_layer(self, kept: Sequence[int]) -> NDArray[np.float64]:
        """(layers,) its parts, in the order of the graph's layers."""
        ...
