"""Stopping hopeless candidates early, with a stated error rate.

A candidate races against the best one so far over the same held-out samples.

First come random ones. Of these only samples count on which exactly one of the two is right. If the
candidate were at least as accurate on all held-out samples, at most half of those would speak
against it; how many of the n seen do is then spread no wider than binomial(n, 1/2), as they are
drawn without replacement (Uhlmann, "Vergleich der hypergeometrischen mit der Binomial-Verteilung",
Metrika 10, 1966). The candidate is stopped if as many against it have a probability of at most the
error rate.

Then come the samples that tell most: those first that the best recognised least clearly, what it
got wrong before all others. The candidate is stopped at a look where it could not become the best
any more if it were right on everything that is left, which is no guess.

So a candidate that would have become the best is stopped with at most the error rate, whatever the
networks are and whatever came before: every candidate meets random samples of its own.

Where samples are not right or wrong, but have numbers between two bounds whose mean is the score,
the mean difference of the random ones is held against an empirical bound for samples drawn without
replacement (Bardenet and Maillard, "Concentration inequalities for sampling without replacement",
Bernoulli 21, 2015, theorem 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from amc.tasks import Indexed

RANDOM = 0.08
"""Part of the held-out samples, drawn at random, after which a candidate may be stopped."""
TELLING = (0.24, 0.32, 0.48, 0.72)
"""The same of all that it has seen, where what tells most comes next.

Mostly in steps of the random part: a convolution is prepared anew for another size of batches.
"""


@dataclass(frozen=True)
class Measured:
    """What a race found of a candidate.

    Args:
        score: On the held-out samples; of one that was stopped an estimate.
        seen: Samples it was stopped after; None where it has seen all.
    """

    score: float
    seen: int | None = None


class Rule(Protocol):
    """What the numbers of a metric's samples come to, and when they are hopeless."""

    def score(self, numbers: Tensor) -> float:
        """Of all samples."""
        ...

    def stop(self, found: Tensor, best: Tensor, random: int, error: float) -> float | None:
        """An estimate of a candidate that is hopeless; None of one that is not.

        Args:
            found: (seen,) its numbers so far, higher being better.
            best: (samples,) those of the best, in the same order.
            random: How many were drawn at random.
            error: Highest probability that one is stopped that is better than the best.
        """
        ...


class Race:
    """Held-out samples, and the best candidate that has seen all of them.

    Args:
        samples: The held-out ones.
        error: Highest probability that a candidate more accurate than the best is stopped; below
            0.5.
        rule: How their numbers are read.
    """

    def __init__(self, samples: Indexed, error: float, rule: Rule | None = None) -> None:
        self._samples, self._error = samples, error
        self._rule: Rule = rule or ByHits()
        self._random = round(RANDOM * len(samples))
        self.restart()

    def restart(self) -> None:
        """Forget all candidates."""
        self._best: Tensor | None = None

    def fork(self) -> Race:
        """One that goes on from the same leader by itself."""
        other = Race(self._samples, self._error, self._rule)
        other._best = self._best
        return other

    @property
    def leading(self) -> float:
        """What the best comes to, as its rule reads it; minus infinity where there is none."""
        return -math.inf if self._best is None else self._rule.score(self._best)

    def run(
        self, numbers: Callable[[Indexed], Tensor], draw: int, *, whole: bool = False
    ) -> Measured:
        """Measure a candidate, on all samples or until it is hopeless.

        Args:
            numbers: For samples, (samples,) how good the candidate is on each; higher is better.
            draw: Seed of its random samples.
            whole: Never stop it: it is known to have seen all once.
        """
        total, found = len(self._samples), torch.empty(0)
        order = self._order(draw)
        best = None if self._best is None else self._best[order]
        for look in (RANDOM, *TELLING, 1.0):
            part = order[len(found) : round(look * total)]
            if len(part):
                found = torch.cat([found, numbers(self._samples.take(part))])
            if best is not None and len(found) < total and not whole:
                stopped = self._rule.stop(found, best, self._random, self._error)
                if stopped is not None:
                    return Measured(stopped, len(found))
        score = self._rule.score(found)
        if score > self.leading:
            self._best = torch.empty_like(found)
            self._best[order] = found
        return Measured(score)

    def _order(self, draw: int) -> Tensor:
        """Random samples, and then what the best did least well."""
        generator = torch.Generator().manual_seed(draw)
        drawn = torch.randperm(len(self._samples), generator=generator)
        random, rest = drawn[: self._random], drawn[self._random :]
        if self._best is not None:
            rest = rest[self._best[rest].argsort(stable=True)]
        return torch.cat([random, rest])


class ByHits:
    """Numbers are margins: a sample is right where its own is above 0."""

    def score(self, numbers: Tensor) -> float:
        """The fraction that is right."""
        return int((numbers > 0).sum()) / len(numbers)

    def stop(self, found: Tensor, best: Tensor, random: int, error: float) -> float | None:
        """See `Rule`."""
        right = found > 0
        seen, total, leading = len(right), len(best), int((best > 0).sum())
        if seen <= random:
            difference = _difference(right, best[:seen] > 0)
            if difference.hopeless(error):
                lost = (difference.against - difference.infavour) / seen
                return max(0.0, leading / total - lost)
        elif int(right.sum()) + total - seen <= leading:
            return _estimate(right, best, random)
        return None


def _estimate(right: Tensor, best: Tensor, random: int) -> float:
    """As if what is left were answered like random samples that the best finds as clear."""
    clear = best[:random] >= best[len(right) :].min()
    alike = right[:random][clear]
    rate = float((alike if len(alike) else right).double().mean())
    total = len(best)
    return (int(right.sum()) + rate * (total - len(right))) / total


@dataclass(frozen=True)
class ByMeans:
    """Numbers whose mean is the score.

    Args:
        low: That a number can be at least.
        high: That it can be at most.
    """

    low: float
    high: float

    def score(self, numbers: Tensor) -> float:
        """Their mean."""
        return float(numbers.double().mean())

    def stop(self, found: Tensor, best: Tensor, random: int, error: float) -> float | None:
        """See `Rule`."""
        seen, total = len(found), len(best)
        behind = best[:seen].double() - found.double()
        mean = float(behind.mean())
        hopeless = (
            mean > self._uncertain(behind, total, error)
            if seen <= random
            else float(found.double().sum()) + (total - seen) * self.high
            <= float(best.double().sum())
        )
        return max(self.low, self.score(best) - mean) if hopeless else None

    def _uncertain(self, behind: Tensor, total: int, error: float) -> float:
        """By how much the mean of samples exceeds that of all with at most this probability."""
        seen, more = len(behind), math.log(5 / error)
        few = seen <= total / 2
        left = 1 - (seen - 1) / total if few else (1 - seen / total) * (1 + 1 / seen)
        spread = math.sqrt(float(behind.var(correction=0)))
        reach = 2 * (self.high - self.low)  # of a difference of two numbers
        return spread * math.sqrt(2 * left * more / seen) + KAPPA * reach * more / seen


KAPPA = 7 / 3 + 3 / math.sqrt(2)
"""The constant of the theorem."""


@dataclass(frozen=True)
class Difference:
    """Samples on which exactly one of two candidates is right.

    Args:
        against: Those on which it is the other.
        infavour: Those on which it is this one.
    """

    against: int
    infavour: int

    def hopeless(self, error: float) -> bool:
        """Whether so many against it are this improbable for a candidate that is no worse.

        Never of one that has as many in its favour.
        """
        return (
            self.against > self.infavour
            and tail(self.against, self.against + self.infavour) <= error
        )


def _difference(right: Tensor, other: Tensor) -> Difference:
    return Difference(int((other & ~right).sum()), int((right & ~other).sum()))


def tail(least: int, of: int) -> float:
    """Probability that of so many fair coins at least so many fall on one side.

    The survival function of a binomial distribution, which does not underflow where a sum of its
    terms does: from about 1,075 coins on, the first of these is 0.
    """
    # Imported by races alone: what loads a finished network needs neither them nor scipy.
    from scipy.special import bdtrc  # type: ignore[import-untyped]

    return 1.0 if least <= 0 else float(bdtrc(least - 1, of, 0.5))
