"""What a rollout would earn, learned from all rollouts so far: a Gaussian process."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm  # type: ignore[import-untyped]

from amc.costs import Limits
from amc.graph import Kept
from amc.history import Outcome
from amc.problem import Problem
from amc.strategies.missed import Missed

Numbers = NDArray[np.float64]

MOST = 800
"""Candidates that the process learns from at most: its time grows with their cube."""

GROWTH = 1.5
"""The kernel is fitted anew when there are so many times as many rollouts as at the last time."""


class Surrogate:
    """Foretells rewards of kept counts that nobody has evaluated.

    A Gaussian process over the logarithm of the fraction that each group keeps, with a length of
    its own for each group (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006,
    5.1) and a Matern kernel of order 5/2. The logarithm, because half of what is left matters about
    as much wherever one stands. What single units do beyond that counts as noise.
    Nothing counts as half of the least that is something. What refits miss is one number more,
    which it may lean on before it knows anything.

    Args:
        full: (groups,) units of the unpruned groups.
        fewest: (groups,) the fewest above 0 that they may keep.
        missed: What refits miss; left out, or where that is not known, it goes without.
        earlier: Evaluations of earlier searches, which are learned from beside this one's.
    """

    def __init__(
        self,
        full: Sequence[int],
        fewest: Sequence[int],
        missed: Missed | None = None,
        earlier: Sequence[Outcome] = (),
    ) -> None:
        self._earlier = {one.kept: one for one in earlier}
        self._full = np.asarray(full, np.float64)
        self._nothing = np.asarray(fewest, np.float64) / 2
        self._missed = missed if missed is not None and missed.known else None
        self._kernel = _kernel(len(full) + (self._missed is not None))
        self._fitted = 0
        self._mean, self._spread, self._best = 0.0, 1.0, 0.0
        self._process: Any = None

    @classmethod
    def of(
        cls, problem: Problem, missed: Missed | None, budgets: Sequence[Limits] = ()
    ) -> Surrogate:
        """One for a problem, with what earlier searches have left to it.

        Args:
            problem: It.
            missed: What refits miss; None goes without.
            budgets: Near which it looks, where they are others than the problem's.
        """
        limits = problem.limits
        near = [one for own in budgets or (limits,) for one in problem.earlier.nearest(own)]
        return cls(problem.graph.full, limits.fewest, missed, near)

    def fit(self, kept: Sequence[Sequence[int]], rewards: Sequence[float]) -> Numbers:
        """Take in all rollouts so far, and return (rollouts,) what they are expected to earn.

        Args:
            kept: (rollouts, groups) counts, at least two of them different.
            rewards: (rollouts,) what they earned.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor

        earned = np.asarray(rewards, np.float64)
        self._mean, self._spread = float(earned.mean()), max(float(earned.std()), 1e-9)
        scaled = (earned - self._mean) / self._spread
        self._best = float(earned.max())
        anew = len(earned) >= GROWTH * self._fitted
        optimizer = "fmin_l_bfgs_b" if anew else None
        self._process = GaussianProcessRegressor(self._kernel, optimizer=optimizer)
        points = self._points(kept)
        with warnings.catch_warnings(), _linear_algebra().limit(limits=1):
            # A length at its bound is an answer: that group does not matter.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(points, scaled)
            expected: Numbers = self._process.predict(points)
        if anew:
            self._kernel, self._fitted = self._process.kernel_, len(earned)
        return expected

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Take in all candidates so far, each by what its merit is worth.

        Args:
            outcomes: Of this search, at least two of them different.
        """
        known = self._earlier | {one.kept: one for one in outcomes}
        kept, worth = [*known], np.array([one.worth for one in known.values()])
        some = self._telling(kept, worth) if len(kept) > MOST else range(len(kept))
        self.fit([kept[at] for at in some], [float(worth[at]) for at in some])

    def _telling(self, kept: Sequence[Kept], worth: Numbers) -> list[int]:
        """The places of `MOST` candidates: the best of every size, and as many others evenly.

        The best of a size are those that are worth more than a straight line over size tells.
        """
        sizes = np.log(np.maximum(kept, self._nothing) / self._full).mean(1)
        line = np.polynomial.Polynomial.fit(sizes, worth, 1)
        best = np.argsort(line(sizes) - worth, kind="stable")[: MOST // 2]
        others = np.setdiff1d(np.arange(len(kept)), best)
        evenly = others[np.linspace(0, len(others) - 1, MOST - len(best)).astype(int)]
        return sorted({*best.tolist(), *evenly.tolist()})

    def most_promising(
        self, kept: Sequence[Kept], count: int, best: float | None = None
    ) -> list[Kept]:
        """Those with the highest expected improvement, each as if those before it were known.

        Of each that is chosen the process believes what it expects. What it has learned stays.

        Args:
            kept: Candidates, all different.
            count: How many are chosen, at most.
            best: As `expected_improvement` takes it.
        """
        left, chosen, process = list(kept), list[Kept](), self._process
        highest = self._best if best is None else best
        while left and len(chosen) < count:
            chosen.append(left.pop(int(np.argmax(self.expected_improvement(left, highest)))))
            if left and len(chosen) < count:
                highest = max(highest, self._believe(chosen[-1]))
        self._process = process
        return chosen

    def _believe(self, kept: Kept) -> float:
        """Take what is expected of a candidate for what it earns, and return that."""
        from sklearn.gaussian_process import GaussianProcessRegressor

        before, point = self._process, self._points([kept])
        with _linear_algebra().limit(limits=1):
            expected = before.predict(point)
            self._process = GaussianProcessRegressor(before.kernel_, optimizer=None).fit(
                np.vstack([before.X_train_, point]), np.append(before.y_train_, expected)
            )
        return float(expected[0]) * self._spread + self._mean

    def expected_improvement(
        self, kept: Sequence[Sequence[int]], best: float | None = None
    ) -> Numbers:
        """(rollouts,) expected improvement on a reward, in deviations of all rewards.

        Jones et al., "Efficient Global Optimization of Expensive Black-Box Functions", 1998.

        Args:
            kept: (rollouts, groups) counts.
            best: The reward; the best one so far if left out.
        """
        least = ((self._best if best is None else best) - self._mean) / self._spread
        mean, spread = self.foretold(kept)
        better = (mean - least) / spread
        gain: Numbers = spread * (better * norm.cdf(better) + norm.pdf(better))
        return gain

    def foretold(self, kept: Sequence[Sequence[int]]) -> tuple[Numbers, Numbers]:
        """(rollouts,) what each is expected to earn, and how unsure that is.

        Both in deviations of all rewards, the first from their mean.

        Args:
            kept: (rollouts, groups) counts.
        """
        with _linear_algebra().limit(limits=1):
            mean, spread = self._process.predict(self._points(kept), return_std=True)
        return mean, np.maximum(spread, 1e-9)

    def _points(self, kept: Sequence[Sequence[int]]) -> Numbers:
        """(rollouts, groups or one more) where the process sees them."""
        points: Numbers = np.log(np.maximum(kept, self._nothing) / self._full)
        if self._missed is None:
            return points
        return np.column_stack([points, self._missed.foretold(kept)])


def _kernel(groups: int) -> Any:
    # scikit-learn takes a second to import, which only a search that learns pays for.
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    lengths = Matern(np.ones(groups), length_scale_bounds=(0.05, 50.0), nu=2.5)
    return ConstantKernel(1.0, (1e-2, 1e2)) * lengths + WhiteKernel(0.03, (1e-4, 1.0))


@cache
def _linear_algebra() -> Any:
    """The libraries that numpy and scipy compute with, looked for once: that takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
