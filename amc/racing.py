"""Stopping hopeless candidates early, by a test with a stated error rate.

A candidate races against the best one so far over the same held-out samples, in one random order.
Only samples count on which exactly one of the two is right. If the candidate were at least as
accurate on all held-out samples, at most half of those would speak against it; how many of the n
seen so far do is then spread no wider than binomial(n, 1/2), as they are drawn without replacement
(Uhlmann, "Vergleich der hypergeometrischen mit der Binomial-Verteilung", Metrika 10, 1966). The
candidate is stopped at a look where as many against it have a probability of at most the error rate
over the number of looks. So a candidate that would have become the best is stopped with at most the
error rate, whatever the networks are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, lgamma, log

import torch
from torch import Tensor

from amc.samples import Samples

LOOKS = (0.08, 0.2, 0.4, 0.72)
"""After which parts of the held-out samples a candidate may be stopped."""


@dataclass(frozen=True)
class Measured:
    """What a race found of a candidate.

    Args:
        accuracy: On the held-out samples, in [0, 1]; of one that was stopped, the best one's less
            the difference between the two on the samples seen.
        seen: Samples it was stopped after; None where it has seen all.
    """

    accuracy: float
    seen: int | None = None


class Race:
    """Held-out samples, and the best candidate that has seen all of them.

    Args:
        samples: The held-out ones.
        error: Highest probability that a candidate at least as accurate as the best is stopped.
        seed: Of their order.
    """

    def __init__(self, samples: Samples, error: float, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._samples, self._error = samples, error
        self._order = torch.randperm(len(samples), generator=generator)
        self._best: Tensor | None = None

    def restart(self) -> None:
        """Forget the best one."""
        self._best = None

    def run(self, hits: Callable[[Samples], Tensor]) -> Measured:
        """Measure a candidate, on all samples or until it is hopeless.

        Args:
            hits: For samples, (samples,) whether the candidate classifies each correctly.
        """
        total, right = len(self._samples), torch.empty(0, dtype=torch.bool)
        for look in (*LOOKS, 1.0):
            part = self._order[len(right) : round(look * total)]
            if len(part):
                right = torch.cat([right, hits(self._samples.take(part))])
            if self._best is not None and len(right) < total:
                difference = _difference(right, self._best[: len(right)])
                if difference.hopeless(self._error / len(LOOKS)):
                    lost = (difference.against - difference.infavour) / len(right)
                    return Measured(float(self._best.double().mean()) - lost, len(right))
        if self._best is None or int(right.sum()) > int(self._best.sum()):
            self._best = right
        return Measured(int(right.sum()) / total)


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
        """Whether so many against it are this improbable for a candidate that is no worse."""
        return tail(self.against, self.against + self.infavour) <= error


def _difference(right: Tensor, other: Tensor) -> Difference:
    return Difference(int((other & ~right).sum()), int((right & ~other).sum()))


def tail(least: int, of: int) -> float:
    """Probability that of so many fair coins at least so many fall on one side."""
    if least <= 0:
        return 1.0
    chance = exp(lgamma(of + 1) - lgamma(least + 1) - lgamma(of - least + 1) - of * log(2))
    total = 0.0
    for heads in range(least, of + 1):
        total += chance
        chance *= (of - heads) / (heads + 1)
    return total
