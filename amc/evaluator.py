"""From kept counts to a score: a candidate is made, and measured whole or in a race."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

from torch import Tensor, nn

from amc.evaluation import (
    ByHits,
    ByMeans,
    Measured,
    Race,
    fast_numbers,
    fast_score,
    may_be_half,
    ready_score,
)
from amc.graph import Kept
from amc.parsing import check
from amc.pruning import Candidates, Pruner
from amc.tasks import Indexed, Margins, Task, replace_parts


class Evaluator:
    """Measures candidates of one network by the same task.

    Args:
        pruner: Of the network.
        task: What they are scored by.
        racing: Highest probability that a candidate is stopped early although it is better than the
            best one so far, below 0.5; 0 stops none.
        seed: Of the samples that each candidate meets first in its race.

    Raises:
        ValueError: if the task cannot be raced.
    """

    def __init__(self, pruner: Pruner, task: Task, racing: float, seed: int) -> None:
        check("problem", "racing", racing, 0 <= racing < 0.5, "0 or more, and below 0.5")
        self.task, self.racing = task, racing
        self._pruner, self._graph = pruner, pruner.graph
        self._candidates: Candidates | None = None
        if task.metric is not None:
            half = may_be_half(pruner.model, task.metric)
            self._candidates = Candidates.of(pruner, half=half)
        self._race = _race(task, racing) if racing else None
        self._seed = seed
        self._told: list[tuple[Kept, float]] = []

    def for_scoring(self) -> Evaluator:
        """One that scores alike, without data and functions that only training and tests need."""
        other, pruner = self.fork(), self._pruner
        if pruner.calibration is not None:
            pruner = replace(pruner, calibration=_for_scoring(pruner.calibration))
        other.__dict__.update(task=_for_scoring(self.task), _pruner=pruner)
        if self._candidates is not None:
            other._candidates = replace(self._candidates, pruner=pruner)
        return other

    def fork(self) -> Evaluator:
        """One whose races go on from the same leader, and change nothing in those of this one."""
        other = object.__new__(Evaluator)
        race = self._race.fork() if self._race else None
        other.__dict__.update(self.__dict__, _race=race, _told=list(self._told))
        return other

    def restart(self) -> None:
        """Forget who led."""
        if self._race is not None:
            self._race.restart()
        self._told.clear()

    def candidate(self, kept: Kept) -> nn.Module:
        """What is measured of these kept counts.

        By a metric of ours a network that is folded and laid out for speed; a function of the
        user's own gets what the search would return.
        """
        if self._candidates is None:
            return self._pruner.network(kept).eval()
        return self._candidates.network(kept)

    def whole(self, kept: Kept) -> Measured:
        """The score, on all held-out samples."""
        network = self.candidate(kept)
        if self._candidates is None:
            return Measured(fast_score(network, self._graph, self.task))
        return Measured(ready_score(network, self._graph, self.task))

    def race(self, kept: Kept) -> Measured:
        """The same, or an estimate of a candidate that is hopeless against the best so far."""
        network = self.candidate(kept)
        self._race_anew()
        return self._race_on(kept, network)

    def tell(self, kept: Kept, score: float) -> None:
        """Note a candidate that raced to the end before, as a journal has it."""
        self._told.append((kept, score))

    def _race_on(self, kept: Kept, network: nn.Module, *, whole: bool = False) -> Measured:
        assert self._race is not None
        draw = crc32(f"{self._seed} {kept}".encode())
        found = self._race.run(self._numbers(network), draw, whole=whole)
        return replace(found, score=self.task.score.sign * found.score)

    def _numbers(self, network: nn.Module) -> Callable[[Indexed], Tensor]:
        """Of samples; higher is better."""
        sign = self.task.score.sign
        return lambda samples: sign * fast_numbers(network, self._graph, self.task, samples)

    def _race_anew(self) -> None:
        """Let those that led, by what a journal told, run once more.

        All of them, because each met the samples in an order that the one before had set, and on
        that hangs how sums are rounded.
        """
        assert self._race is not None
        told, self._told = self._told, []
        for kept, score in told:
            if self.task.score.sign * score > self._race.leading:
                self._race_on(kept, self.candidate(kept), whole=True)


def _for_scoring(task: Task) -> Task:
    return replace_parts(task, train_loader=None, test_loader=None, tune=None, loss_func=None)


def _race(task: Task, racing: float) -> Race:
    """A race over the task's samples.

    Raises:
        ValueError: if it has no number for each sample, no bounds of them, or no samples in memory.
    """
    metric, score = task.metric, task.score
    if metric is None or not metric.each or score.bounds is None:
        raise ValueError(
            f"problem: racing is {racing:g}, but {score.name} is not the mean of a bounded number "
            "for each sample, of which a few could tell; leave racing out"
        )
    if not isinstance(task.score_loader, Indexed):
        raise ValueError(
            f"problem: racing is {racing:g}, and samples are drawn for it at random, which a "
            "stream does not allow; give amc.Samples, or leave racing out"
        )
    low, high = score.bounds if score.higher_is_better else (-score.bounds[1], -score.bounds[0])
    rule = ByHits() if isinstance(metric.raced, Margins) else ByMeans(low, high)
    return Race(task.score_loader, racing, rule)
