"""Which policy is applied: that of a file, or the best of a run within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from amc.history import Outcome
from amc.policy import Budget, Policy
from experiments.disk import run_at
from experiments.runs import RunResult
from experiments.settings import PruneSettings


def policy_asked(config: PruneSettings) -> Policy:
    """The policy that the settings name.

    Raises:
        FileNotFoundError, IsADirectoryError, PolicyError: if there is none.
        LookupError: for a budget of a cost that the run's candidates were not measured by.
        ValueError: if the run has no candidate within the budgets.
    """
    if not config.budget:
        return Policy.load(config.policy)
    folder = run_at(config.policy)
    result = RunResult.load(folder / "result.json")
    chosen = best_of(result, config.budget)
    asked = ",".join(map(str, config.budget))
    base = Policy.load(folder / "policy.json")
    groups = zip(base.groups, chosen.kept, strict=True)
    return replace(
        base,
        groups=tuple(replace(group, kept=kept) for group, kept in groups),
        origin={**base.origin, "budget": asked, "candidate": str(chosen.number)},
    )


def best_of(result: RunResult, budgets: Sequence[Budget]) -> Outcome:
    """The best candidate of a run that meets budgets, of those that have seen all samples.

    Raises:
        LookupError: for a budget of a cost that the run's candidates were not measured by.
        ValueError: if there is none; names the cheapest.
    """
    where = result.config.get("out", "the run")
    for budget in budgets:
        if budget.cost not in result.costs:
            raise LookupError(
                f"budget {budget}: {where} tells no {budget.cost}; its candidates have "
                f"{', '.join(result.costs)}"
            )
    if fit := fitting(result, budgets):
        return max(fit, key=lambda one: one.merit)
    asked = ", ".join(map(str, budgets))
    told = _cheapest(fitting(result, ()), budgets, result)
    raise ValueError(f"{where} has no candidate within {asked}; {told}")


def fitting(result: RunResult, budgets: Sequence[Budget]) -> list[Outcome]:
    """A run's candidates that have seen all samples and meet budgets."""
    whole = [one for one in result.evaluations if one.seen is None]
    return [one for one in whole if all(_fits(one, budget, result) for budget in budgets)]


def _fits(outcome: Outcome, budget: Budget, result: RunResult) -> bool:
    return outcome.costs[budget.cost] <= budget.absolute(result.costs[budget.cost].unpruned)


def _cheapest(whole: Sequence[Outcome], budgets: Sequence[Budget], result: RunResult) -> str:
    if not whole:
        return "give a run that evaluated some"
    least = [
        f"{one.cost}={min(o.costs[one.cost] for o in whole) / result.costs[one.cost].unpruned:.4f}"
        for one in budgets
    ]
    return f"the cheapest have {', '.join(least)}"
