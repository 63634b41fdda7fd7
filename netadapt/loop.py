"""The NetAdapt loop (Yang et al., "NetAdapt: Platform-Aware Neural Network Adaptation for Mobile
Applications", ECCV 2018, algorithm 1).

As published, with the mistakes of earlier implementations mended: the proposal with the best
score on held-out samples wins, not the best ratio of drops; a proposal that misses the target
does not compete; the resource of the winner is computed again and not taken to be the target.

Departures:
1. Any cost or several serve as the resource, latency among them.
2. Where no group alone can reach a target, the step is halved until one can.
3. No target lies below the budget, so that the last iteration prunes no more than it must.
4. Where the problem refits, a narrowed network's consumers are first refit by least squares to what
   the network computed before, from moments collected once an iteration; short fine-tuning then
   starts from a better place. Every strategy of a problem has that refit.
5. Filters are ranked by the problem's criterion, unless another is named.

Where the problem can measure a cost on a device, the winner is measured whole after each iteration,
and the next one's proposals are held to what was found: the table tells differences, the device
where the network stands. The loop ends when the network itself has come down to the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from amc.costs import Limits
from amc.criteria import criterion as named
from amc.finetuning import Recipe, check_tunable
from amc.graph import Kept
from amc.history import Outcome
from amc.parsing import check
from amc.problem import Problem, SearchResult
from amc.rules import check_budget
from netadapt.proposals import propose
from netadapt.rounds import Place, Round
from netadapt.trials import InTurn, Terms, Trials
from netadapt.workers import SideBySide

SMALLEST_STEP = 1e-6
"""Of the resource, as a fraction of the budget."""


@dataclass(frozen=True)
class Iteration:
    """One iteration of the loop.

    Args:
        number: From 0.
        target: Resource that each proposal had to reach, as a fraction of the budget.
        proposals: The group narrowed by each proposal, and its outcome.
        chosen: The group whose proposal won.
    """

    number: int
    target: float
    proposals: tuple[tuple[int, Outcome], ...]
    chosen: int


@dataclass(frozen=True)
class NetAdapt:
    """NetAdapt as a strategy: its result is the adapted network, short fine-tuning included.

    Args:
        reduction: First step of the resource, as a fraction of the unpruned network's, in (0, 1].
            The authors' code takes 0.025.
        decay: Factor on the step from one iteration to the next, in (0, 1].
        steps: Gradient steps of short fine-tuning of each proposal.
        recipe: How the short fine-tuning is done; its epochs do not matter.
        criterion: Which units of the narrowed group go: empty takes the problem's, so that all
            strategies have the same; the paper takes the L2 norm.
        jobs: Processes that an iteration's proposals are tried in, with the same result.
        timeout: Seconds in which one of them must be finished, where there are several processes:
            after that workers count as hung, and what they had is tried once more.
        on_iteration: Called after each iteration.

    Raises:
        LookupError: if there is no such criterion.
        ValueError: if a number is out of range.
    """

    tunes_weights: ClassVar[bool] = True

    reduction: float = 0.05
    decay: float = 0.96
    steps: int = 10
    recipe: Recipe = field(default_factory=Recipe)
    criterion: str = ""
    jobs: int = 1
    timeout: float = 600.0
    on_iteration: Callable[[Iteration], None] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("reduction", self.reduction), ("decay", self.decay)):
            if not 0 < value <= 1:
                raise ValueError(f"netadapt: {name} is {value}; it must lie above 0 and at most 1")
        check("netadapt", "steps", self.steps, self.steps >= 0, "0 or more")
        check("netadapt", "jobs", self.jobs, 1 <= self.jobs <= 256, "1 to 256")
        check("netadapt", "timeout", self.timeout, self.timeout > 0, "above 0")
        if self.criterion:
            named(self.criterion)

    def search(self, problem: Problem, seed: int) -> SearchResult:
        """Narrow one group an iteration until the budgets hold.

        Raises:
            ValueError: if the problem has no budget, or its task nothing to fine-tune with.
        """
        check_budget(problem.limits, "netadapt")
        if self.steps:
            check_tunable(problem.task, "netadapt fine-tunes its proposals")
        problem.restart()
        terms = Terms(problem.task, self.steps)
        trials = InTurn(terms) if self.jobs == 1 else SideBySide(terms, self.jobs, self.timeout)
        return self._adapt(problem, seed, trials)

    def _adapt(self, problem: Problem, seed: int, trials: Trials) -> SearchResult:
        criterion, limits = self.criterion or problem.criterion, problem.limits
        place = Place.start(problem)
        step, number = self.reduction * limits.use(place.kept), 0
        while limits.use(place.kept) > 1:
            # Below the smallest step any narrowing will do, so that the loop always ends.
            wanted = step if step > SMALLEST_STEP else 0.0
            target = max(1.0, limits.use(place.kept) - wanted)
            candidates = _proposals(limits, place.kept, target)
            if not candidates and wanted:
                step /= 2
                continue
            if not candidates:
                break  # Even the smallest network was measured to exceed the budget.
            recipe = replace(self.recipe, seed=seed + number)
            tried = Round(problem, place, number, criterion, recipe, trials)
            winner, place = tried.run([kept for _, kept in candidates])
            self._report(number, target, [group for group, _ in candidates], tried, winner)
            limits = problem.limits_at(place.kept)
            step, number = step * self.decay, number + 1
        if place.best is None:
            return problem.result(problem.evaluate(place.kept))
        weights, steps = place.network.network.state_dict(), number * self.steps
        return problem.result(place.best, tuned_steps=steps, weights=weights, criterion=criterion)

    def _report(
        self,
        number: int,
        target: float,
        groups: Sequence[int],
        tried: Round,
        winner: int,
    ) -> None:
        if self.on_iteration is not None:
            proposals = tuple(zip(groups, tried.outcomes, strict=True))
            self.on_iteration(Iteration(number, target, proposals, groups[winner]))


def _proposals(limits: Limits, kept: Kept, target: float) -> list[tuple[int, Kept]]:
    """Each group that can reach the target alone, with the kept counts that do."""
    found = ((group, propose(limits, kept, group, target)) for group in range(len(kept)))
    return [(group, proposal) for group, proposal in found if proposal is not None]
