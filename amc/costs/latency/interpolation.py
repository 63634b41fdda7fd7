"""From times measured at some widths to the time at every width, without smoothing the staircase.

Three facts make a few measurements enough:

1. Hardware works in blocks, so the time along one axis is a staircase, and often not even a rising
   one: a width that fills its blocks can be faster than a narrower one that does not. But widths
   that are alike modulo `PERIOD` lie on one smooth curve. So between two measured widths the time
   is drawn straight among those of the same remainder, and never across remainders.
2. Three windows of `PERIOD` widths, at both ends and in the middle, therefore cover an axis.
3. The times over two axes are a matrix of low rank: a few kinds of inner loop, each a product of
   what the inputs and what the outputs take. Some full rows and columns give all of it, as a
   skeleton (Goreinov, Tyrtyshnikov and Zamarashkin, "A theory of pseudoskeleton approximations",
   Linear Algebra and its Applications, 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray

PERIOD = 16
"""Widths after which a staircase repeats: 4 and 8 (AVX2, NEON) divide it, and AVX-512 has it."""

WINDOWS = 3
LEAST_KNOTS = 12

OFFSETS = (0, 1, 2, 4)
"""How far below the full width the rows and columns of a skeleton stand: one of every kind of
remainder, whether blocks are of 2, 4 or 8."""

FEW = 3
"""Remainders below which a skeleton needs a row in the middle."""

NOISE = 0.003
"""Singular values of the skeleton's crossing that are smaller, relative to the first, are noise."""

Times = NDArray[np.float64]


def knots(widths: Sequence[int]) -> tuple[int, ...]:
    """The widths to measure of those that can be reached, ascending, both ends among them.

    All remainders that occur are in each of several windows; of few widths all are knots.
    """
    step = gcd(*(b - a for a, b in pairwise(widths))) if len(widths) > 1 else 1
    length = PERIOD // gcd(PERIOD, step)
    windows = max(WINDOWS, LEAST_KNOTS // length)
    if len(widths) <= windows * length:
        return tuple(widths)
    starts = np.linspace(0, len(widths) - length, windows).round().astype(int)
    return tuple(sorted({widths[at + k] for at in starts.tolist() for k in range(length)}))


def skeleton(widths: Sequence[int]) -> tuple[int, ...]:
    """Positions among the knots whose rows (or columns) are measured whole.

    The last knot and those just below it that have other remainders, and of each of these the first
    one. Where there are but one or two, as with whole blocks, the one in the middle as well.
    """
    top = len(widths) - 1
    last: dict[int, int] = {}
    for at in (top - offset for offset in OFFSETS if offset <= top):
        last.setdefault(widths[at] % PERIOD, at)
    first = [next(k for k, w in enumerate(widths) if w % PERIOD == one) for one in last]
    middle = [top // 2] if len(last) < FEW else []
    return tuple(sorted({0, *middle, *last.values(), *first}))


def complete(times: Times) -> Times:
    """(rows, columns) with what was not measured, NaN, computed from the whole rows and columns.

    Raises:
        ValueError: if there are no whole rows or columns to compute it from.
    """
    missing = np.isnan(times)
    if not missing.any():
        return times
    rows, columns = ~missing.any(axis=1), ~missing.any(axis=0)
    if not rows.any() or not columns.any():
        raise ValueError("times over two widths need whole rows and columns")
    left, sizes, right = np.linalg.svd(times[np.ix_(rows, columns)], full_matrices=False)
    rank = int((sizes > NOISE * sizes[0]).sum())
    core = right[:rank].T / sizes[:rank] @ left[:, :rank].T
    return np.where(missing, times[:, columns] @ core @ times[rows], times)


def weights(widths: Sequence[int], measured: Sequence[int]) -> Times:
    """(widths, knots) parts of the measured times that add up to the time at each width.

    Args:
        widths: Where the time is wanted, between the first and the last knot.
        measured: Ascending.
    """
    parts = np.zeros((len(widths), len(measured)))
    for row, width in enumerate(widths):
        for at, part in _between(width, measured):
            parts[row, at] += part
    return parts


def _between(width: int, measured: Sequence[int]) -> list[tuple[int, float]]:
    """The nearest knots on both sides, of the same remainder if they can be, with their parts."""
    alike = [at for at, knot in enumerate(measured) if (knot - width) % PERIOD == 0]
    places = alike or range(len(measured))
    below = max((at for at in places if measured[at] <= width), default=None)
    above = min((at for at in places if measured[at] >= width), default=None)
    if below is None or above is None:
        # Beyond its own remainder's ends, within a window of them: as near as there is.
        return [(above if below is None else below, 1.0)]  # type: ignore[list-item]
    if below == above:
        return [(below, 1.0)]
    part = (width - measured[below]) / (measured[above] - measured[below])
    return [(below, 1 - part), (above, part)]
