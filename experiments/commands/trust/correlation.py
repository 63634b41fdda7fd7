"""Rank correlation, and how much of it is the luck of the sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

from experiments.runs import Correlation

RESAMPLES = 2000


def spearman(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's rank correlation, in [-1, 1]; 0 where either side is all the same.

    What does not differ tells nothing of the other's order.
    """
    return float(_spearman(np.asarray(one)[None], np.asarray(other)[None])[0])


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows,) the same of each row of both, (rows, values)."""
    ranks = [rankdata(side, axis=1) for side in (one, other)]  # ties share their mean
    first, second = (side - side.mean(1, keepdims=True) for side in ranks)
    size = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    found: NDArray[np.float64] = (first * second).sum(1) / np.where(size > 0, size, 1)
    return found


def correlation(name: str, score: ArrayLike, after: ArrayLike, seed: int) -> Correlation:
    """Spearman's correlation with its 95% interval, by the bootstrap over policies.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, 13.3: percentiles of
    `RESAMPLES` samples of as many policies, drawn with replacement.

    Args:
        name: Of the score.
        score: (policies,)
        after: (policies,) that after fine-tuning.
        seed: Of the bootstrap.
    """
    both = np.stack([np.asarray(score, np.float64), np.asarray(after, np.float64)])
    drawn = np.random.default_rng(seed).integers(both.shape[1], size=(RESAMPLES, both.shape[1]))
    low, high = np.quantile(_spearman(both[0][drawn], both[1][drawn]), (0.025, 0.975))
    return Correlation(name, spearman(*both), float(low), float(high))
