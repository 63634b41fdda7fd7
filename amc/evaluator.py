"""From kept counts to a score: a candidate is made, and measured whole or in a race."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from torch import Tensor, nn

from amc.evaluation import Measured, Race, fast_hits, fast_margins
from amc.graph import Kept, PruningGraph
from amc.parsing import check
from amc.pruning import Candidates, Pruner
from amc.tasks import Samples


class Evaluator:
    """Measures candidates of one network on the same held-out samples.

    Args:
        pruner: Of the network.
        holdout: Samples that accuracy is measured on.
        racing: Highest probability that a candidate is stopped early although it is more accurate
            than the best one so far, below 0.5; 0 stops none.
        seed: Of the samples that each candidate meets first in its race.
    """

    def __init__(self, pruner: Pruner, holdout: Samples, racing: float, seed: int) -> None:
        check("problem", "racing", racing, 0 <= racing < 0.5, "0 or more, and below 0.5")
        self.holdout, self.racing = holdout, racing
        self._graph: PruningGraph = pruner.graph
        self._candidates = Candidates.of(pruner)
        self._race, self._seed = Race(holdout, racing), seed
        self._told: list[tuple[Kept, float]] = []

    def fork(self) -> Evaluator:
        """One whose races go on from the same leader, and change nothing in those of this one."""
        other = object.__new__(Evaluator)
        other.__dict__.update(self.__dict__, _race=self._race.fork(), _told=list(self._told))
        return other

    def restart(self) -> None:
        """Forget who led."""
        self._race.restart()
        self._told.clear()

    def candidate(self, kept: Kept) -> nn.Module:
        """What is measured of these kept counts."""
        return self._candidates.network(kept)

    def whole(self, kept: Kept) -> Measured:
        """Accuracy on all held-out samples."""
        right = fast_hits(self.candidate(kept), self._graph, self.holdout)
        return Measured(int(right.sum()) / len(self.holdout))

    def race(self, kept: Kept) -> Measured:
        """The same, or an estimate of a candidate that is hopeless against the best so far."""
        network = self.candidate(kept)
        self._race_anew()
        return self._race_on(kept, network)

    def tell(self, kept: Kept, accuracy: float) -> None:
        """Note a candidate that raced to the end before, as a journal has it."""
        self._told.append((kept, accuracy))

    def _race_on(self, kept: Kept, network: nn.Module, *, whole: bool = False) -> Measured:
        draw = crc32(f"{self._seed} {kept}".encode())
        return self._race.run(self._margins(network), draw, whole=whole)

    def _margins(self, network: nn.Module) -> Callable[[Samples], Tensor]:
        return lambda samples: fast_margins(network, self._graph, samples)

    def _race_anew(self) -> None:
        """Let those that led, by what a journal told, run once more.

        All of them, because each met the samples in an order that the one before had set, and on
        that hangs how sums are rounded.
        """
        told, self._told = self._told, []
        for kept, accuracy in told:
            if accuracy > self._race.leading:
                self._race_on(kept, self.candidate(kept), whole=True)
