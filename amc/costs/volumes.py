"""Amounts that are products of widths, at many policies at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.graph import Product, Width

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
        groups: Of the graph.
    """

    def __init__(self, products: Sequence[Product], groups: int) -> None:
        self._each = np.array([product.each for product in products], np.float64)
        self._volumes = Volumes([product.widths for product in products], groups)

    def __call__(self, kept: ArrayLike) -> NDArray[np.float64]:
        """(...) at (..., groups) kept counts."""
        found: NDArray[np.float64] = self._volumes(kept) @ self._each
        return found
