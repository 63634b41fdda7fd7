"""How much worse a network may be than what was measured of it."""

from __future__ import annotations

import math
from statistics import NormalDist

from torch import Tensor


def most_lost(losses: Tensor, reach: float, chance: float) -> float:
    """The upper end of a mean of which samples are known, one-sided.

    By the normal distribution of means, with a few samples more that lose all that can be lost:
    half the square of the distribution's quantile, as where Wilson's interval of a proportion has
    its middle (Agresti and Coull, "Approximate Is Better than 'Exact' for Interval Estimation of
    Binomial Proportions", The American Statistician 52, 1998). So it holds where few samples lose
    anything, and a few that are all alike prove little.

    Args:
        losses: (samples,) what each loses, in [-reach, reach].
        reach: Most that a sample can lose.
        chance: Highest probability that the mean is above what is returned.
    """
    quantile = NormalDist().inv_cdf(1 - chance)
    values, more = losses.double(), quantile**2 / 2
    count = len(values) + more
    mean = (float(values.sum()) + more * reach) / count
    square = (float(values.square().sum()) + more * reach**2) / count
    return mean + quantile * math.sqrt(max(0.0, square - mean**2) / count)
