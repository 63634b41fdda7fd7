"""How a search went: which candidates met the budget, and how the best of them rose."""

from __future__ import annotations

from dataclasses import dataclass

from amc.costs.latency import LATENCY
from amc.history import Outcome
from amc.policy import Budget
from experiments.report.comparison import Run
from experiments.runs import CostChange, RunResult
from experiments.terminal import count, scored


@dataclass(frozen=True)
class Progress:
    """One search as series over its evaluations, numbered from 1.

    Args:
        scores: Of each, on held-out samples.
        fits: Whether each met every budget.
        best: (number, score) of each that was better than all before it within the budgets.
    """

    scores: tuple[float, ...]
    fits: tuple[bool, ...]
    best: tuple[tuple[int, float], ...]

    def best_by(self, number: int) -> float | None:
        """The best score within the budgets up to evaluation `number`."""
        reached = [value for at, value in self.best if at <= number]
        return reached[-1] if reached else None


def progress(result: RunResult) -> Progress:
    """The search of one run."""
    scores = tuple(evaluation.score for evaluation in result.evaluations)
    fits = tuple(fits_budgets(result, evaluation) for evaluation in result.evaluations)
    best: list[tuple[int, float]] = []
    for number, (value, fit) in enumerate(zip(scores, fits, strict=True), start=1):
        if fit and (not best or result.score.better(value, best[-1][1])):
            best.append((number, value))
    return Progress(scores, fits, tuple(best))


def fits_budgets(result: RunResult, evaluation: Outcome) -> bool:
    """Whether a candidate met every budget whose cost it reports.

    By predictions, and where networks were measured to be faster, by as much more.
    """
    faster = 1.0 if result.latency is None else max(1.0, result.latency.bound)
    more = {LATENCY: faster}
    return all(
        evaluation.costs[budget.cost]
        <= limit(budget, result.costs[budget.cost]) * more.get(budget.cost, 1.0)
        for budget in result.budgets
        if budget.cost in evaluation.costs and budget.cost in result.costs
    )


def limit(budget: Budget, change: CostChange) -> float:
    """What the budget allows, in the cost's unit; a rounding error is no excess."""
    return budget.absolute(change.unpruned) * (1 + 1e-9)


def excesses(result: RunResult) -> list[Budget]:
    """The budgets that the pruned network breaks.

    Latency by the clock, where it was measured in the end; noise alone is no excess.
    """
    broken = []
    for budget in result.budgets:
        change, noise = result.costs.get(budget.cost), 0.0
        if budget.cost == LATENCY and result.latency is not None:
            found = result.latency
            change, noise = CostChange("s", found.unpruned, found.pruned), found.noise
        if change is not None and change.pruned > limit(budget, change) * (1 + noise):
            broken.append(budget)
    return broken


def verdict(run: Run) -> str:
    """One sentence on whether more evaluations would have helped."""
    done = progress(run.result)
    total = len(done.scores)
    if total == 0:
        return f"{run.label}: the policy was given, so nothing was searched."
    if total == 1:
        return f"{run.label}: 1 evaluation, so a rule and no search."
    if not done.best:
        return f"{run.label}: none of {count(total, 'evaluation')} met the budget."
    return f"{run.label}: {_plateau(done)}; {_lately(done)}{_left(run.result)}."


def _left(result: RunResult) -> str:
    """Evaluations that the search was given and did not make."""
    most, made = result.most_evaluations, len(result.evaluations)
    if not most:
        return ""
    if made >= most:
        return f"; all {count(most, 'evaluation')} that it was given are spent"
    return (
        f"; of {count(most, 'evaluation')} that it was given {most - made:,} are left, as "
        "candidates that came again cost nothing"
    )


def _plateau(done: Progress) -> str:
    total, fitting = len(done.scores), sum(done.fits)
    within = "" if fitting == total else f", {fitting:,} of them within the budget"
    number, value = done.best[-1]
    return f"{count(total, 'evaluation')}{within}, the best ({scored(value)}) at number {number:,}"


def _lately(done: Progress) -> str:
    total = len(done.scores)
    last = max(1, total // 4)
    before, final = done.best_by(total - last), done.best[-1][1]
    if before is None:
        return f"it first met the budget at number {done.best[0][0]:,}"
    if final == before:
        return f"the last {count(last, 'evaluation')} brought nothing better"
    more = scored(abs(final - before))
    return f"the last {last:,} still brought {more}, so a longer search may find more"
