"""The loop, with each iteration worked out by hand.

The network by hand has 4 units and 3 rows that can go, and costs 4 u + u r + 2 r MACs at u units
and r rows:

    (4, 3) 34   (3, 3) 27   (2, 3) 20   (1, 3) 13
    (4, 2) 28   (3, 2) 22   (2, 2) 16   (1, 2) 10
    (4, 1) 22   (3, 1) 17   (2, 1) 12   (1, 1)  7
"""

from typing import Any

import pytest
from small_networks import Detectors, by_hand, labelled, mixed, striped

from amc import BudgetError, Problem, SearchResult
from netadapt import Iteration, NetAdapt

UNITS, ROWS = 0, 1


def searched(problem: Problem, **settings: Any) -> tuple[SearchResult, list[Iteration]]:
    """A search without training, and what each of its iterations reported."""
    seen: list[Iteration] = []
    loop = NetAdapt(**{"steps": 0, **settings}, on_iteration=seen.append)
    return loop.search(problem, seed=0), seen


def told(iteration: Iteration) -> dict[int, tuple[tuple[int, ...], float]]:
    """Of each group that made a proposal, the kept counts and the accuracy."""
    return {group: (outcome.kept, outcome.score) for group, outcome in iteration.proposals}


def ordinary(*budgets: str) -> Problem:
    """Units in the order 0, 1, 2 and 3 of strength; row 1 is the strongest, then row 0.

    Of 8 samples 7 are right at first: input 2 reaches class 1 and should not.
    """
    model = Detectors(
        strengths=[4, 1, 0.5, 0.5], rows=[{0: 1}, {1: 2}, {2: 0.5, 3: 0.4}], votes=[1, 1, 1]
    )
    return by_hand(model, labelled((0, 4), (0, 2), (1, 0), (0, 1)), *budgets)


def test_every_iteration_of_a_search_by_hand() -> None:
    result, (first, second, third) = searched(ordinary("macs=12"), reduction=0.25, decay=0.5)
    # 34 - 8.5. Without units 2 and 3 input 2 becomes right and input 3 wrong; without rows 0 and 2
    # input 2 becomes right, and 0 and 3 wrong.
    assert first.target * 12 == pytest.approx(25.5)
    assert told(first) == {UNITS: ((2, 3), 7 / 8), ROWS: ((4, 1), 3 / 8)}
    assert first.chosen == UNITS
    # 20 - 4.25: the step is taken from what the winner really costs, not from 25.5.
    assert second.target * 12 == pytest.approx(15.75)
    assert told(second) == {UNITS: ((1, 3), 5 / 8), ROWS: ((2, 1), 3 / 8)}
    assert second.chosen == UNITS
    # 13 - 2.125 would be below the budget. No unit can go any more; row 2 reads nothing by now.
    assert third.target == 1
    assert told(third) == {ROWS: ((1, 2), 5 / 8)}
    assert third.chosen == ROWS
    assert (result.best.kept, result.best.score, result.best.costs["macs"]) == (
        (1, 2),
        5 / 8,
        10,
    )
    assert [item.number for item in (first, second, third)] == [0, 1, 2]


def test_every_proposal_counts_as_an_evaluation() -> None:
    result, iterations = searched(ordinary("macs=12"), reduction=0.25, decay=0.5)
    proposals = [outcome for item in iterations for _, outcome in item.proposals]
    assert list(result.outcomes) == proposals
    assert result.best is proposals[-1]


def test_the_larger_rise_of_accuracy_wins_over_the_smaller_saving() -> None:
    # Without unit 3 the three samples of input 3 become right, for 7 MACs; without rows 1 and 2 the
    # one of input 1 as well, for 12. A drop of accuracy divided by the saving, as earlier code has
    # it, is -0.375 / 7 = -0.054 and -0.5 / 12 = -0.042, so that its smallest would be the former.
    model = Detectors(strengths=[2, 2, 2, 1], rows=[{0: 2}, {1: 1}, {2: 1, 3: 1}], votes=[1, 1, 1])
    problem = by_hand(model, labelled((0, 4), (1, 0), (0, 0), (3, 0)), "macs=27")
    assert problem.unpruned_score() == 0.5
    result, (only,) = searched(problem, reduction=0.2)
    assert told(only) == {UNITS: ((3, 3), 7 / 8), ROWS: ((4, 1), 1.0)}
    assert only.chosen == ROWS
    assert result.best.kept == (4, 1)


def test_the_smaller_loss_wins_over_the_larger_saving() -> None:
    # Without unit 3 two of 16 samples are lost, for 7 MACs; without rows 1 and 2 three, for 12,
    # which is less for each MAC.
    model = Detectors(strengths=[2, 2, 2, 1], rows=[{0: 2}, {1: 1}, {2: 1, 3: 1}], votes=[1, 1, 1])
    problem = by_hand(model, labelled((0, 13), (0, 1), (0, 0), (0, 2)), "macs=27")
    result, (only,) = searched(problem, reduction=0.2)
    assert told(only) == {UNITS: ((3, 3), 14 / 16), ROWS: ((4, 1), 13 / 16)}
    assert only.chosen == UNITS
    assert result.best.kept == (3, 3)


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_the_step_decays_from_iteration_to_iteration(decay: float) -> None:
    _, (first, second, *_) = searched(ordinary("macs=12"), reduction=0.1, decay=decay)
    assert first.target * 12 == pytest.approx(34 - 3.4)
    # Without unit 3 its input is lost; without row 2 input 2 is mended as well.
    assert told(first) == {UNITS: ((3, 3), 6 / 8), ROWS: ((4, 2), 7 / 8)}
    assert second.target * 12 == pytest.approx(28 - 3.4 * decay)


def test_a_step_that_no_group_can_take_alone_is_halved() -> None:
    # All 22 MACs at once: (1, 3) costs 13 and (4, 1) 22. Half the step of 34 is 17.
    result, (first, second) = searched(ordinary("macs=12"), reduction=1.0, decay=0.5)
    assert first.target * 12 == pytest.approx(17)
    assert [kept for kept, _ in told(first).values()] == [(1, 3)]
    assert second.target == 1
    assert result.best.kept == (1, 2)


def test_the_budget_that_is_furthest_away_sets_the_target() -> None:
    # Two biases make 36 parameters of 34 MACs; 36 / 20 is further away than 34 / 30.
    problem = ordinary("macs=30", "params=20")
    result, (first, second) = searched(problem, reduction=0.25, decay=0.5)
    assert first.target == pytest.approx(0.75 * 36 / 20)  # 27 parameters
    assert told(first) == {UNITS: ((2, 3), 7 / 8), ROWS: ((4, 1), 3 / 8)}
    assert second.target == 1  # 22 - 4.5 would be below
    assert told(second) == {UNITS: ((1, 3), 5 / 8), ROWS: ((2, 2), 7 / 8)}
    assert result.best.kept == (2, 2)
    assert result.best.costs["macs"] <= 30
    assert result.best.costs["params"] == 18


@pytest.mark.parametrize("budget", range(7, 34))
def test_every_budget_is_met(budget: int) -> None:
    result, iterations = searched(ordinary(f"macs={budget}"))
    assert result.best.costs["macs"] <= budget
    assert all(
        outcome.costs["macs"] <= item.target * budget + 1e-9
        for item in iterations
        for _, outcome in item.proposals
    )


def test_a_budget_that_holds_already_needs_no_iteration() -> None:
    result, iterations = searched(ordinary("macs=34"))
    assert iterations == []
    assert (result.best.kept, result.best.score) == ((4, 3), 7 / 8)
    assert (len(result.outcomes), result.tuned_steps, result.weights) == (1, 0, None)


def test_a_budget_out_of_reach_is_refused_naming_the_smallest() -> None:
    with pytest.raises(BudgetError, match=r"has macs=0\.2059 \(7 MACs\)"):
        searched(ordinary("macs=6"))


def test_a_search_without_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="netadapt needs a budget to come down to"):
        searched(ordinary())


def test_fine_tuning_without_training_samples_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match="netadapt fine-tunes its proposals; there is nothing to train on; give train_loader",
    ):
        searched(ordinary("macs=12"), steps=1)


def test_units_go_by_the_problems_criterion_unless_another_is_named() -> None:
    def weights(ranked: str, **settings: Any) -> dict[str, Any]:
        problem = by_hand(mixed(), striped(30, seed=1), "macs=0.5", criterion=ranked)
        result, _ = searched(problem, **settings)
        assert result.weights is not None
        assert result.criterion == (settings.get("criterion") or ranked)
        return {name: tensor.tolist() for name, tensor in result.weights.items()}

    assert weights("random") == weights("l1", criterion="random") != weights("l1")


def test_an_unknown_criterion_is_refused_before_the_search() -> None:
    with pytest.raises(LookupError, match="unknown criterion 'l3'"):
        NetAdapt(criterion="l3")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reduction": 0.0}, "reduction is 0.0; it must lie above 0 and at most 1"),
        ({"reduction": 1.5}, "reduction is 1.5"),
        ({"decay": 0.0}, "decay is 0.0"),
        ({"decay": 1.01}, "decay is 1.01"),
        ({"steps": -1}, "steps is -1; it must be 0 or more"),
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetAdapt(**settings)
