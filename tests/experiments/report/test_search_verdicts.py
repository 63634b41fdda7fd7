"""What is said about a search from its evaluations alone."""

from collections.abc import Callable

import pytest

from amc.history import Outcome
from experiments.report.comparison import compare
from experiments.report.convergence import excesses, progress, verdict
from experiments.runs.results import CostChange, Remeasured, RunResult

Made = Callable[..., RunResult]


def said(result: RunResult) -> str:
    return verdict(compare([result])[0].runs[0])


def spent(*macs: float) -> tuple[Outcome, ...]:
    """Candidates, ever less accurate, at these MACs of a million."""
    return tuple(
        Outcome(at, (8, 16, 32), 0.9 - 0.01 * at, {"macs": cost}, 1.0)
        for at, cost in enumerate(macs)
    )


def test_the_best_so_far_only_rises_and_counts_from_one(made: Made) -> None:
    done = progress(made(accuracies=[0.5, 0.4, 0.7, 0.7, 0.6]))
    assert done.best == ((1, 0.5), (3, 0.7))
    assert [done.best_by(number) for number in (0, 1, 2, 3, 5)] == [None, 0.5, 0.5, 0.7, 0.7]


def test_candidates_over_the_budget_are_no_best(made: Made) -> None:
    done = progress(made(evaluations=spent(9e5, 5.000001e5, 5e5, 4e5)))
    assert done.fits == (False, False, True, True)
    assert done.best == ((3, 0.88),)


def test_every_budget_has_to_hold(made: Made) -> None:
    budgets = ("macs=0.5", "params=10k")
    assert progress(made(budgets=budgets)).fits == (False, False, False)
    assert progress(made(budgets=budgets, left=0.25)).fits == (True, True, True)


def test_a_rounding_error_is_no_excess(made: Made) -> None:
    third = {"macs": CostChange("MACs", 1e6, 1e6 * (0.1 + 0.2))}
    assert excesses(made(budgets=("macs=0.3",), costs=third)) == []


@pytest.mark.parametrize(("macs", "broken"), [(5e5, []), (5.01e5, ["macs=0.5"])])
def test_a_network_over_its_budget_is_named(made: Made, macs: float, broken: list[str]) -> None:
    costs = {"macs": CostChange("MACs", 1e6, macs)}
    assert list(map(str, excesses(made(budgets=("macs=50%",), costs=costs)))) == broken


@pytest.mark.parametrize(("pruned", "broken"), [(0.59, False), (0.605, False), (0.63, True)])
def test_latency_is_judged_by_the_clock(made: Made, pruned: float, broken: bool) -> None:
    """Predicted 0.55 of the time; 0.605 is within the noise of 0.6, which is 1%."""
    costs = {"latency": CostChange("s", 1.0, 0.55)}
    found = Remeasured(unpruned=2.0, pruned=2 * pruned, predicted=0.55, noise=0.01)
    result = made(budgets=("latency=0.6",), costs=costs, latency=found)
    assert excesses(result) == (list(result.budgets) if broken else [])


def test_a_search_that_stopped_finding(made: Made) -> None:
    assert said(made(accuracies=[0.5, 0.8, 0.7, 0.6])) == (
        "gp-rollout: 4 evaluations, the best (0.8000) at number 2; "
        "the last 1 evaluation brought nothing better."
    )


def test_a_search_that_was_still_finding(made: Made) -> None:
    assert said(made(accuracies=[0.5, 0.6, 0.6, 0.65, 0.65, 0.65, 0.7, 0.75])) == (
        "gp-rollout: 8 evaluations, the best (0.7500) at number 8; "
        "the last 2 still brought 0.1000, so a longer search may find more."
    )


def test_a_loop_that_walks_down_to_the_budget(made: Made) -> None:
    assert said(made(evaluations=spent(9e5, 8e5, 7e5, 6e5, 5e5))) == (
        "gp-rollout: 5 evaluations, 1 of them within the budget, the best (0.8600) at number 5; "
        "it first met the budget at number 5."
    )


@pytest.mark.parametrize(
    ("most", "words"),
    [
        (4, "; all 4 evaluations that it was given are spent."),
        (10, "; of 10 evaluations that it was given 6 are left, as candidates that came again"),
        (None, "brought nothing better."),
    ],
)
def test_what_is_left_of_a_search_is_told(made: Made, most: int | None, words: str) -> None:
    assert words in said(made(accuracies=[0.5, 0.8, 0.7, 0.6], most_evaluations=most))
