"""Amounts that are products of widths, at many policies at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.graph import Product, PruningGraph, Width

NO_AXIS = Width(1, ())


class Volumes:
    """Products of widths, each of several that may share some.

    Args:
        items: The widths of each product.
        groups: Of the graph.
    """

    def __init__(self, items: Sequence[tuple[Width, ...]], groups: int) -> None:
        widths = (NO_AXIS, *dict.fromkeys(width for item in items for width in item))
        self._fixed = np.array([width.fixed for width in widths], np.int64)
        self._parts = np.zeros((len(widths), groups), np.int64)
        for row, width in enumerate(widths):
            for group, each in width.parts:
                self._parts[row, group] = each
        places = {width: row for row, width in enumerate(widths)}
        self._axes = np.zeros((len(items), max(map(len, items), default=0)), np.int64)
        for at, item in enumerate(items):
            self._axes[at, : len(item)] = [places[width] for width in item]

    def __call__(self, kept: ArrayLike) -> NDArray[np.int64]:
        """(..., items) at (..., groups) kept counts."""
        widths = self._fixed + np.asarray(kept, np.int64) @ self._parts.T
        volumes: NDArray[np.int64] = widths[..., self._axes].prod(-1)
        return volumes


class Amounts:
    """The sum of products, each so many times its widths.

    Args:
        products: Any number, also none.
        graph: Theirs.
    """

    def __init__(self, products: Sequence[Product], graph: PruningGraph) -> None:
        self._graph = graph
        self._each = np.array([product.each for product in products], np.float64)
        self._volumes = Volumes([product.widths for product in products], len(graph.groups))
        covered = [[one.covers(product.name) for product in products] for one in graph.branches]
        self._covered = np.array(covered, np.int64).reshape(len(covered), len(products))

    def __call__(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(...) at (..., groups) kept counts."""
        volumes, counts = self._volumes(kept), np.asarray(kept, np.int64)
        if self._covered.any() and not counts.all():
            volumes = volumes * (self._graph.ended(counts).astype(np.int64) @ self._covered == 0)
        found: NDArray[np.float64] = volumes @ self._each
        return found
