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
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from amc.tasks import Samples

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
        accuracy: On the held-out samples, in [0, 1]; of one that was stopped an estimate.
        seen: Samples it was stopped after; None where it has seen all.
    """

    accuracy: float
    seen: int | None = None


class Race:
    """Held-out samples, and the best candidate that has seen all of them.

    Args:
        samples: The held-out ones.
        error: Highest probability that a candidate more accurate than the best is stopped; below
            0.5.
    """

    def __init__(self, samples: Samples, error: float) -> None:
        self._samples, self._error = samples, error
        self._random = round(RANDOM * len(samples))
        self.restart()

    def restart(self) -> None:
        """Forget all candidates."""
        self._best: Tensor | None = None

    def fork(self) -> Race:
        """One that goes on from the same leader by itself."""
        other = Race(self._samples, self._error)
        other._best = self._best
        return other

    @property
    def leading(self) -> float:
        """Accuracy of the best; below 0 where there is none."""
        return -1.0 if self._best is None else int((self._best > 0).sum()) / len(self._best)

    def run(
        self, margins: Callable[[Samples], Tensor], draw: int, *, whole: bool = False
    ) -> Measured:
        """Measure a candidate, on all samples or until it is hopeless.

        Args:
            margins: For samples, (samples,) how clearly the candidate classifies each: above 0
                where it is right.
            draw: Seed of its random samples.
            whole: Never stop it: it is known to have seen all once.
        """
        total, found = len(self._samples), torch.empty(0)
        order = self._order(draw)
        best = None if self._best is None else self._best[order]
        for look in (RANDOM, *TELLING, 1.0):
            part = order[len(found) : round(look * total)]
            if len(part):
                found = torch.cat([found, margins(self._samples.take(part))])
            if best is not None and len(found) < total and not whole:
                stopped = self._stop(found > 0, best)
                if stopped is not None:
                    return stopped
        accuracy = int((found > 0).sum()) / total
        if accuracy > self.leading:
            self._best = torch.empty_like(found)
            self._best[order] = found
        return Measured(accuracy)

    def _order(self, draw: int) -> Tensor:
        """Random samples, and then what the best recognised least clearly."""
        generator = torch.Generator().manual_seed(draw)
        drawn = torch.randperm(len(self._samples), generator=generator)
        random, rest = drawn[: self._random], drawn[self._random :]
        if self._best is not None:
            rest = rest[self._best[rest].argsort(stable=True)]
        return torch.cat([random, rest])

    def _stop(self, right: Tensor, best: Tensor) -> Measured | None:
        """What is known of a candidate that is hopeless; None of one that is not.

        Args:
            right: (seen,) whether it is.
            best: (samples,) margins of the best, in the same order.
        """
        seen, total, leading = len(right), len(best), int((best > 0).sum())
        if seen <= self._random:
            difference = _difference(right, best[:seen] > 0)
            if difference.hopeless(self._error):
                lost = (difference.against - difference.infavour) / seen
                return Measured(max(0.0, leading / total - lost), seen)
        elif int(right.sum()) + total - seen <= leading:
            return Measured(self._estimate(right, best), seen)
        return None

    def _estimate(self, right: Tensor, best: Tensor) -> float:
        """As if what is left were answered like random samples that the best finds as clear."""
        clear = best[: self._random] >= best[len(right) :].min()
        alike = right[: self._random][clear]
        rate = float((alike if len(alike) else right).double().mean())
        total = len(best)
        return (int(right.sum()) + rate * (total - len(right))) / total


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
