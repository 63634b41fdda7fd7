"""A cost as a sum of numbers of single options and of pairs of them.

Exact where no layer's cost hangs on more than two choices, as it is of multiply-accumulates,
parameters and stored bytes of networks in which a layer reads one group and writes another; an
approximation elsewhere. It is the expansion around the unpruned network that is known from
cut-high-dimensional model representations (Rabitz and Alis, "General foundations of
high-dimensional model representations", Journal of Mathematical Chemistry, 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from amc.costs import Cost, costs_of
from amc.strategies.knapsack.choices import Choices

Numbers = NDArray[np.float64]

NOTHING = 1e-9
"""Part of the whole cost below which a pair is none."""


@dataclass(frozen=True)
class Terms:
    """What options add to the cost of the unpruned network.

    Args:
        full: Cost of the unpruned network.
        single: Of each choice, (options,) numbers.
        pairs: Of two choices, (options of one, options of the other) what both add together beyond
            what each adds alone.
    """

    full: float
    single: tuple[Numbers, ...]
    pairs: dict[tuple[int, int], Numbers]


def terms_of(cost: Cost, choices: Choices) -> Terms:
    """The expansion of a cost."""
    options = choices.options
    full = cost(choices.limits.graph.full)
    single = tuple(
        _costs(cost, [choices.kept([(at, one)]) for one in own]) - full
        for at, own in enumerate(options)
    )
    pairs = {}
    for one, other in combinations(range(len(options)), 2):
        if one in choices.ended[other] or _apart(cost, choices, one, other, single, full):
            continue
        asked = [
            choices.kept([(one, left), (other, right)])
            for left in options[one]
            for right in options[other]
        ]
        both = _costs(cost, asked).reshape(len(options[one]), len(options[other])) - full
        pairs[one, other] = both - single[one][:, None] - single[other][None, :]
    return Terms(full, single, pairs)


def _apart(
    cost: Cost,
    choices: Choices,
    one: int,
    other: int,
    single: tuple[Numbers, ...],
    full: float,
) -> bool:
    """Whether two choices, each at its smallest, add no more together than alone."""
    least = [(one, choices.options[one][0]), (other, choices.options[other][0])]
    both = cost(tuple(choices.kept(least).tolist())) - full
    more: float = both - single[one][0] - single[other][0]
    return abs(more) <= NOTHING * full


def _costs(cost: Cost, kept: list[NDArray[np.int64]]) -> Numbers:
    return costs_of(cost, np.stack(kept))
