"""Trials side by side in processes of this machine (`amc.side_by_side`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amc.finetuning import Recipe
from amc.graph import Kept
from amc.pruning import Narrowing
from amc.side_by_side import LostWorkersError, side_by_side
from netadapt.trials import Terms, Tried, try_proposal


@dataclass(frozen=True)
class SideBySide:
    """Trials in several processes.

    Args:
        terms: Of all of them.
        jobs: Processes.
        timeout: Seconds in which one of the proposals must be finished.
    """

    terms: Terms
    jobs: int
    timeout: float

    def __call__(
        self, narrowing: Narrowing, proposals: Sequence[Kept], recipe: Recipe
    ) -> Iterator[tuple[int, Tried]]:
        """See `netadapt.trials.Trials`.

        Raises:
            LostWorkersError: if workers are lost or hang twice.
        """
        # Not as what is shared: the narrowing is another in every iteration, the processes stay.
        items = {at: (self.terms, narrowing, recipe, kept) for at, kept in enumerate(proposals)}
        try:
            yield from side_by_side(_try, items, jobs=self.jobs, timeout=self.timeout)
        except LostWorkersError as error:
            raise LostWorkersError(
                f"netadapt: of its proposals {error}; what is finished is kept: the same command "
                "goes on from there; give them longer with --options.timeout, less to do with "
                "--options.steps, or fewer processes with --options.jobs"
            ) from None


def _try(_: None, item: tuple[Terms, Narrowing, Recipe, Kept]) -> Tried:
    terms, narrowing, recipe, kept = item
    return try_proposal(terms, narrowing, kept, recipe)
