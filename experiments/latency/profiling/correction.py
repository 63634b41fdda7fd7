"""From parts timed alone to whole networks: a few numbers that are not negative."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls  # type: ignore[import-untyped]
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from amc.costs.latency import Correction, Fit

SHARE = 0.1
"""Of the time, that a kind of part must have for a number of its own."""

WORTH = 0.9
"""A scale for each kind is taken where its error is below this part of the single scale's."""

LEAST = 0.5
"""Scale of a kind, at the least: parts do not vanish in the network."""

Floats = NDArray[np.float64]


def fit_correction(
    kinds: Sequence[str], parts: Floats, whole: Floats, noise: float
) -> tuple[Correction, Fit]:
    """The correction, and its error on networks that it was not fitted on.

    Whole = constant + the sum over kinds of scale x parts, least squares of the relative error,
    nothing negative. One scale for all kinds competes with one for each that matters, where the
    rest go with the largest; the second wins only where leaving one network out at a time shows it
    clearly better.

    Args:
        kinds: Names of the kinds of parts.
        parts: (networks, kinds) sums of the parts' own times, in seconds.
        whole: (networks,) what was measured.
        noise: Relative difference of two measurements of one network.
    """
    share = parts.sum(axis=0) / parts.sum()
    single = np.zeros(len(kinds), np.int64)
    several = np.where(share >= SHARE, np.arange(len(kinds)), share.argmax())
    chosen = single
    predicted = _left_out(_columns(parts, single), whole)
    others = _left_out(_columns(parts, several), whole)
    plausible = _solve(_columns(parts, several), whole)[:-1].min() >= LEAST
    if plausible and _error(others, whole) < WORTH * _error(predicted, whole):
        chosen, predicted = several, others
    columns = _columns(parts, chosen)
    numbers = _solve(columns, whole)
    scales = dict(zip(sorted(set(chosen.tolist())), numbers[:-1].tolist(), strict=True))
    correction = Correction(
        float(numbers[-1]), {kind: scales[int(at)] for kind, at in zip(kinds, chosen, strict=True)}
    )
    return correction, judge(predicted, whole, noise)


def judge(predicted: Floats, whole: Floats, noise: float) -> Fit:
    """How well predictions, (networks,), meet what was measured."""
    errors = np.abs(predicted / whole - 1)
    rank = float(spearmanr(predicted, whole)[0]) if len(whole) > 2 else float("nan")
    median, p90 = np.quantile(errors, (0.5, 0.9)).tolist()
    return Fit(len(whole), median, p90, rank, noise)


def _error(predicted: Floats, whole: Floats) -> float:
    return float(np.sqrt(np.mean((predicted / whole - 1) ** 2)))


def _columns(parts: Floats, classes: NDArray[np.int64]) -> Floats:
    """(networks, classes + 1) sums over the kinds of each class, and ones for the constant."""
    sums = [parts[:, classes == one].sum(axis=1) for one in sorted(set(classes.tolist()))]
    return np.stack([*sums, np.ones(len(parts))], axis=1)


def _solve(columns: Floats, whole: Floats) -> Floats:
    numbers: Floats = nnls(columns / whole[:, None], np.ones(len(whole)))[0]
    return numbers


def _left_out(columns: Floats, whole: Floats) -> Floats:
    """(networks,) each predicted by a fit to all others."""
    found = np.empty(len(whole))
    for at in range(len(whole)):
        rest = np.arange(len(whole)) != at
        found[at] = columns[at] @ _solve(columns[rest], whole[rest])
    return found
