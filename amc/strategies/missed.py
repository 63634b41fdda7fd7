"""What the refits of a policy miss: known before anything is evaluated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.problem import Problem

Numbers = NDArray[np.float64]

LITTLE = 1e-3
"""A sum of shares below which differences do not matter."""


class Missed:
    """Shares of their outputs' power that layers miss once they are refit (`amc.refit`).

    Each group alone, as if all others were whole; their sum ranks good policies with 0.5 to 0.9
    (Spearman) and costs no evaluation. It says nothing where there is no refit, as at granularities
    that mask.

    Args:
        problem: Whose groups.

    Attributes:
        known: Whether there is a refit of any group's readers.
    """

    def __init__(self, problem: Problem) -> None:
        curves = problem.pruner.unexplained
        self._curves = [np.zeros(2) if curve is None else curve.numpy() for curve in curves]
        self._full = np.array(problem.graph.full, np.int64)
        self.known = any(curve is not None for curve in curves)

    def parts(self, kept: ArrayLike) -> Numbers:
        """(policies, groups) what each group's readers miss.

        Args:
            kept: (policies, groups) counts.
        """
        counts = np.asarray(kept, np.int64).reshape(-1, len(self._curves))
        levels = np.array([len(curve) - 1 for curve in self._curves], np.int64)
        told = counts * levels // self._full  # Of millions of weights not every count is told.
        return np.stack([curve[told[:, at]] for at, curve in enumerate(self._curves)], axis=1)

    def foretold(self, kept: ArrayLike) -> Numbers:
        """(policies,) the negative logarithm of what all of them miss: higher is better."""
        foretold: Numbers = -np.log(self.parts(kept).sum(1) + LITTLE)
        return foretold
