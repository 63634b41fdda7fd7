"""Budgets that hold by the clock: what a search does when networks are slower than predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from amc import Budget, Problem, Samples, SearchResult, Strategy
from amc.graph import Kept
from amc.rules import Uniform, project
from amc.strategies import RandomSearch
from amc.tasks import Classification, Score, Task
from experiments.latency.terms import STEADY, allowance, believable, steadiest
from experiments.report import latency_sentence
from experiments.report.comparison import compare
from experiments.report.convergence import excesses
from experiments.report.headline import notes
from experiments.runs.journal_file import RunJournal
from experiments.runs.results import CostChange, Remeasured, RunResult
from experiments.search.holding import TIGHTENINGS, holding


def weights_left(network: nn.Module) -> float:
    """A score by which larger networks are better, as trained ones mostly are."""
    return float(sum(one.count_nonzero() for one in network.parameters()))


BY_SIZE = Task(weights_left, score=Score("weights", unit=""))


def problem(factor: float, racing: float = 0.0, task: Task | None = None) -> Problem:
    """On a device where every pruned network takes `factor` times what its MACs tell."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 3)
    )
    holdout = Samples(torch.randn(40, 6), torch.arange(40) % 3)
    made = Problem(
        model,
        holdout.inputs[:1],
        [Budget.parse("macs=0.6")],
        task=task or Classification(None, holdout),
        racing=racing,
    )
    made.measure["macs"] = lambda kept: factor * made.costs["macs"](kept)
    return made


def clock(problem: Problem, kept: Kept) -> float:
    return problem.measure["macs"](kept) / problem.costs["macs"](problem.graph.full)


def searched(strategy: Strategy, asked: Problem) -> tuple[SearchResult, float]:
    return holding(lambda given: strategy.search(given, 0), asked, again=True)


@pytest.mark.parametrize("factor", [0.98, 1.0])
def test_a_prediction_that_holds_is_left_alone(factor: float) -> None:
    asked = problem(factor)
    result, bound = searched(Uniform(), asked)
    assert bound == 1
    assert result.best == asked.best()
    assert len(result.outcomes) == 1


@pytest.mark.parametrize("strategy", [Uniform(), RandomSearch(40)])
@pytest.mark.parametrize("factor", [0.7, 0.9])
def test_what_faster_networks_leave_of_the_budget_is_spent(
    strategy: Strategy, factor: float
) -> None:
    asked = problem(factor, task=BY_SIZE)
    plain = strategy.search(asked, 0).best
    result, bound = searched(strategy, asked)
    assert 0.97 * 0.6 < clock(asked, result.best.kept) <= 0.6
    assert clock(asked, plain.kept) < 0.6 * (factor + 0.01)
    assert result.best.merit > plain.merit
    assert bound == pytest.approx(1 / factor)
    assert result.best in result.outcomes


@pytest.mark.parametrize("strategy", [Uniform(), RandomSearch(8)])
def test_what_was_tried_for_nothing_is_counted_and_no_two_have_one_number(
    strategy: Strategy,
) -> None:
    asked = problem(0.7, task=Task(lambda _: 0.5, score=Score("nothing", bounds=(0.0, 1.0))))
    result, bound = searched(strategy, asked)
    assert bound == 1
    assert len(result.outcomes) > len(strategy.search(asked, 0).outcomes)
    assert [one.number for one in result.outcomes] == list(range(len(result.outcomes)))


def test_a_loosened_bound_gives_nothing_that_breaks_the_budget_by_the_clock() -> None:
    asked = problem(1.0, task=BY_SIZE)
    first = Uniform().search(asked, 0).best.kept
    asked.measure["macs"] = lambda kept: (0.8 if kept == first else 1.3) * asked.costs["macs"](kept)
    result, bound = searched(Uniform(), asked)
    assert (result.best.kept, bound) == (first, 1)


def test_a_rule_searches_again_under_a_tighter_bound() -> None:
    asked = problem(1.1)
    result, bound = searched(Uniform(), asked)
    assert bound == pytest.approx(1 / 1.1)
    assert clock(asked, result.best.kept) <= 0.6
    assert result.best.costs["macs"] <= 0.6 / 1.1 * asked.costs["macs"](asked.graph.full)


def test_of_many_candidates_the_best_within_the_tighter_bound_wins() -> None:
    asked = problem(1.03)
    result, bound = searched(RandomSearch(40), asked)
    assert bound == pytest.approx(1 / 1.03)
    within = [item for item in result.outcomes if clock(asked, item.kept) <= 0.6]
    assert len(within) < len(result.outcomes)
    assert result.best.score == max(item.score for item in within)


class Spending:
    """Candidates that take the whole budget, and one that takes next to nothing of it."""

    def search(self, problem: Problem, seed: int) -> SearchResult:
        problem.restart()
        problem.evaluate(problem.limits.smallest)
        for first in (0.2, 0.4, 0.6, 0.8):
            problem.evaluate(project(problem.limits, [first, 1 - first]))
        return problem.result()


def test_the_best_are_brought_within_a_tighter_bound_that_only_leftovers_keep() -> None:
    asked = problem(1.03)
    result, bound = searched(Spending(), asked)
    assert bound < 1
    assert clock(asked, result.best.kept) <= 0.6
    item = asked.limits.items[0]
    assert item.cost(result.best.kept) > 0.9 * bound * item.most
    assert result.best in result.outcomes
    assert len(result.outcomes) > len(Spending().search(asked, 0).outcomes)


class Crowding:
    """The worst, then the winner, which takes the whole budget, and those that lose to it."""

    def search(self, problem: Problem, seed: int) -> SearchResult:
        problem.restart()
        item = problem.limits.items[0]
        kept = [(one, other) for one in range(30, 5, -1) for other in range(20, 5, -1)]
        fits = [counts for counts in kept if problem.limits.fits(counts)]
        scores = {counts: problem.whole(counts).merit for counts in fits}
        problem.restart()
        problem.evaluate(min(fits, key=lambda one: scores[one]))
        crowded = [one for one in fits if item.cost(one) > 0.97 * item.most]
        problem.evaluate(max(crowded, key=lambda one: scores[one]))
        for counts in sorted(fits, key=lambda one: scores[one])[-30:]:
            problem.evaluate(counts)
        return problem.result()


def test_who_lost_to_a_network_that_is_too_slow_is_measured_whole() -> None:
    asked = problem(1.04, racing=0.4)
    result, _ = searched(Crowding(), asked)
    lost = [one for one in asked.outcomes if one.seen is not None]
    within = [one for one in lost if clock(asked, one.kept) <= 0.6]
    assert within, "some lost"
    assert result.best.seen is None
    assert clock(asked, result.best.kept) <= 0.6
    assert result.best in result.outcomes
    kept_whole = [one for one in asked.finalists() if clock(asked, one.kept) <= 0.6]
    least = max((one.merit for one in kept_whole), default=0.0)
    promising = [asked.whole(one.kept).merit for one in within if one.merit > least]
    assert max(promising) > least, "else there would be nothing to find"
    assert result.best.merit == max(promising)


def test_a_device_that_never_keeps_a_budget_is_left_after_so_many_tries() -> None:
    asked = problem(1.0)
    calls: list[Kept] = []

    def slower_each_time(kept: Kept) -> float:
        calls.append(kept)
        return 1.02 * 0.6 * asked.costs["macs"](asked.graph.full)

    asked.measure["macs"] = slower_each_time
    result, bound = searched(Uniform(), asked)
    assert len(calls) == TIGHTENINGS + 1
    assert bound < 1
    assert clock(asked, result.best.kept) > 0.6


def test_a_budget_that_is_broken_in_the_end_is_told(
    made_result: Callable[..., RunResult],
) -> None:
    budgets = (Budget("latency", 0.6),)
    for pruned, broken in ((0.63, True), (0.605, False)):
        again = Remeasured(unpruned=1.0, pruned=pruned, predicted=0.6, noise=0.01)
        costs = {"latency": CostChange("seconds", 1.0, 0.6)}
        found = made_result("uniform", budgets=budgets, costs=costs, latency=again)
        assert excesses(found) == (list(budgets) if broken else [])


def test_noise_is_added_to_what_is_measured_but_not_that_of_a_busy_hour() -> None:
    assert allowance(0.01, usual=0.002) == pytest.approx(1.01)
    assert allowance(0.01, usual=0.02) == pytest.approx(1.02)
    assert allowance(0.8, usual=0.02) == pytest.approx(1 + STEADY)


def test_of_several_tries_the_first_quiet_one_counts_or_the_quietest() -> None:
    noises = iter((0.5, STEADY, 0.0))
    assert steadiest(((), noise) for noise in noises) == ((), STEADY)
    assert next(noises) == 0
    assert steadiest([((), 0.5), ((), 0.04), ((), 0.3)]) == ((), 0.04)


def test_limits_move_by_what_was_measured() -> None:
    for factor, most in ((1.25, 0.6 / 1.25), (0.5, 0.6 / 0.5)):
        asked = problem(factor)
        (item,) = asked.limits_at(asked.limits.smallest).items
        assert item.most == pytest.approx(most * item.full)


def test_what_was_measured_and_evaluated_is_not_done_again_by_a_search_that_goes_on(
    tmp_path: Path,
) -> None:
    """The clock says something else each time; with it another candidate might win."""
    results, calls = [], []
    for _ in range(2):
        asked = problem(1.0)
        pace = iter((1.2, 1.1, 1.05, 1.0, 1.0, 1.0))

        def clocked(kept: Kept, asked: Problem = asked, pace: Iterator[float] = pace) -> float:
            calls.append(kept)
            return next(pace) * asked.costs["macs"](kept)

        asked.measure["macs"] = clocked
        with RunJournal(tmp_path) as journal:
            if journal.header is None:
                journal.begin({})
            asked = asked.with_history(journal)
            results.append(searched(RandomSearch(40), asked))
    (one, bound), (same, again) = results
    assert (same.best, again) == (one.best, bound)
    assert bound < 1
    assert len(calls) == len(set(calls)) > 1


def _timed(result: RunResult, macs: float, time: float) -> RunResult:
    costs = {"macs": CostChange("MACs", 1.0, macs), "latency": CostChange("seconds", 1.0, time)}
    return replace(result, costs=costs)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ((0.9, 0.6), True),
        ((0.6, 0.61), False),
    ],
)
def test_the_report_says_where_equal_macs_are_not_equal_time(
    made_result: Callable[..., RunResult], times: tuple[float, float], told: bool
) -> None:
    slow, fast = (
        _timed(made_result(name), macs, time)
        for name, macs, time in zip(("gp-rollout", "uniform"), (0.5, 0.505), times, strict=True)
    )
    sentence = (
        "Equal MACs are not equal time: with 50.0% of them gp-rollout takes 90.0% of the unpruned "
        "network's time, with 50.5% uniform 60.0%."
    )
    assert (sentence in notes(compare([slow, fast])[0])) is told
    assert not any(
        "Equal MACs" in note for note in notes(compare([slow, _timed(fast, 0.6, 0.5)])[0])
    )


def test_the_median_of_all_passes_is_told_beside_the_undisturbed_ones() -> None:
    words = latency_sentence(
        "uniform",
        Remeasured(1e-3, 6e-4, 5.8e-4, 0.01, unpruned_median=1.2e-3, pruned_median=7e-4),
    )
    assert "takes 0.600 ms, 60.0% of the unpruned network's 1.000 ms" in words
    assert "the medians of all passes are 0.700 and 1.200 ms." in words


def test_a_tightened_bound_is_told() -> None:
    words = latency_sentence("uniform", Remeasured(1e-3, 6e-4, 5.8e-4, 0.01, bound=0.97))
    assert "slower than predicted, so predictions were held to 97.0% of the budget" in words
    faster = latency_sentence("uniform", Remeasured(1e-3, 6e-4, 5.8e-4, 0.01, bound=1.2))
    assert "faster than predicted, so predictions were held to 120.0% of the budget" in faster
    assert "held to" not in latency_sentence("uniform", Remeasured(1e-3, 6e-4, 5.8e-4, 0.01))


@pytest.fixture
def made_result() -> Callable[..., RunResult]:
    from experiments.runs.results import Scores

    def make(strategy: str, **changes: Any) -> RunResult:
        values: dict[str, Any] = {
            "strategy": strategy,
            "model": "resnet8",
            "dataset": "digits",
            "seed": 0,
            "budgets": (Budget("macs", 0.6),),
            "unpruned": Scores(0.95, 0.94),
            "searched": Scores(0.9, 0.9),
            "finetuned": None,
            "costs": {},
            "groups": (),
            "evaluations": (),
            "seconds": {"prepare": 1.0, "search": 1.0, "finetune": 0.0},
            "config": {"model": "resnet8", "dataset": "digits", "out": f"runs/{strategy}"},
        }
        return RunResult(**{**values, **changes})

    return make


@pytest.mark.parametrize(
    ("told", "wanted", "asked"),
    [
        ([1.1], 1.1, 1),
        ([1.5, 1.05], 1.05, 2),
        ([1.5, 1.4, 1.6], 1.4, 3),
        ([0.5], 0.5, 1),
    ],
)
def test_a_time_far_above_its_prediction_is_measured_again(
    told: list[float], wanted: float, asked: int
) -> None:
    left = iter(told)
    assert believable(lambda: next(left), 1.0) == wanted
    assert len(told) - len(list(left)) == asked
