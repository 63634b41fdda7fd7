"""The one way in which candidates are pruned and measured."""

import copy
from dataclasses import FrozenInstanceError, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import Wired, averaged, images, samples, tiny
from torch import nn

from amc.costs import COSTS, BudgetError, Macs, Memory, Params
from amc.granularity import Rounding
from amc.history import Outcome
from amc.journal import Blank, E, Entry
from amc.policy import Budget, Policy
from amc.problem import Problem
from amc.pruning import prune
from amc.tasks import Classification
from amc.tasks.samples import Samples
from amc.tracing.build import GraphError
from experiments.studies.accuracies import accuracy

HOLDOUT = samples(100, seed=1)
CALIBRATION = samples(120, seed=2)


def residual_problem(
    budget: str = "macs=0.5",
    calibration: Samples | None = None,
    holdout: Samples = HOLDOUT,
    **options: Any,
) -> Problem:
    task = Classification(None, holdout, calibration=calibration)
    return Problem(tiny("residual"), images(), [Budget.parse(budget)], task, **options)


def test_an_evaluation_is_the_accuracy_and_the_costs_of_the_network() -> None:
    problem = residual_problem(calibration=CALIBRATION)
    outcome = problem.evaluate((4, 3))
    assert (outcome.number, outcome.kept) == (0, (4, 3))
    assert outcome.score == pytest.approx(accuracy(problem.network((4, 3)), HOLDOUT), abs=0.02)
    graph = problem.graph
    wanted = {name: cost(graph)((4, 3)) for name, cost in COSTS.items()}
    assert outcome.costs == wanted
    assert (wanted["macs"], wanted["params"]) == (Macs(graph)((4, 3)), Params(graph)((4, 3)))


def test_costs_can_be_made_in_another_way() -> None:
    costs = {"macs": Macs, "memory": partial(Memory, batch=50)}
    problem = residual_problem("memory=0.7", costs=costs)
    full = Memory(problem.graph, batch=50)(problem.graph.full)
    assert problem.limits.items[0].most == 0.7 * full
    assert problem.evaluate((4, 3)).costs.keys() == costs.keys()


def test_asked_again_it_answers_from_memory() -> None:
    problem = residual_problem()
    first = problem.evaluate((4, 3))
    assert problem.evaluate([4, 3]) is first
    assert problem.evaluate(np.array([4, 3])) is first
    assert problem.outcomes == (first,)


class Notes(Blank):
    """A journal in memory."""

    def __init__(self) -> None:
        self.notes: dict[tuple[str, str], Entry] = {}

    def recall(self, kind: type[E], key: str) -> Any:
        return self.notes.get((kind.kind, key))

    def note(self, key: str, entry: Entry) -> None:
        self.notes[entry.kind, key] = entry


@pytest.mark.parametrize("racing", [0.0, 0.4])
def test_evaluations_go_on_where_a_journal_ends(racing: float) -> None:
    kept = [(one, other) for one in range(2, 7) for other in range(2, 6)]

    def outcomes(journal: Notes, count: int) -> list[tuple[Any, ...]]:
        problem = residual_problem("macs=0.9", racing=racing)
        problem = problem.with_history(journal)
        problem.restart()
        found = [problem.evaluate(counts) for counts in kept[:count]]
        return [(o.number, o.kept, o.score, o.seen, o.costs) for o in found]

    whole = outcomes(Notes(), len(kept))
    assert any(seen for *_, seen, _ in whole) == bool(racing)
    for cut in (1, 5, 11, len(kept)):
        journal = Notes()
        outcomes(journal, cut)
        assert outcomes(journal, len(kept)) == whole


def test_who_lost_under_former_limits_races_again_under_tighter_ones() -> None:
    problem, journal = residual_problem("macs=0.9", racing=0.4), Notes()
    problem = problem.with_history(journal)
    kept = [(one, other) for one in range(2, 7) for other in range(2, 6)]
    problem.restart()
    stopped = [o.kept for o in map(problem.evaluate, kept) if o.seen is not None]
    item = problem.limits.items[0]
    tight = replace(problem.limits, items=(replace(item, most=0.7 * item.most),))
    within, before = problem.within(tight), len(journal.notes)
    within.restart()
    first = next(counts for counts in stopped if tight.fits(counts))
    assert within.evaluate(first).seen is None
    assert len(journal.notes) == before + 1
    within.restart()
    assert within.evaluate(first).seen is None
    assert len(journal.notes) == before + 1


@pytest.mark.parametrize("racing", [0.0, 0.4])
def test_what_happens_under_other_limits_leaves_the_problem_as_it_was(racing: float) -> None:
    problem = residual_problem("macs=0.9", racing=racing)
    before = [problem.evaluate(kept) for kept in ((4, 3), (5, 4))]
    within = problem.within(problem.limits)
    assert within.outcomes == tuple(before)
    within.evaluate((3, 3))
    assert problem.outcomes == tuple(before)
    within.restart()
    assert problem.outcomes == tuple(before)
    assert problem.evaluate((4, 3)) is before[0]
    problem.restart()
    assert (problem.outcomes, within.outcomes) == ((), ())


def test_a_problem_never_changes() -> None:
    problem = residual_problem()
    with pytest.raises(FrozenInstanceError):
        problem.limits = problem.limits  # type: ignore[misc]


def test_evaluations_are_counted_in_order() -> None:
    problem = residual_problem()
    kept = [(6, 5), (2, 2), (6, 5), (3, 3)]
    for counts in kept:
        problem.evaluate(counts)
    assert [outcome.kept for outcome in problem.outcomes] == [(6, 5), (2, 2), (3, 3)]
    assert [outcome.number for outcome in problem.outcomes] == [0, 1, 2]
    seconds = [outcome.seconds for outcome in problem.outcomes]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_what_a_strategy_measured_itself_counts_too() -> None:
    problem = residual_problem()
    tuned = problem.record(np.array([3, 2]), 0.9)
    assert tuned.kept == (3, 2)
    assert problem.outcomes == (tuned,)
    assert problem.best() is tuned
    # Untuned, the same counts are another network.
    assert problem.evaluate((3, 2)).number == 1


def test_only_what_fits_can_be_best() -> None:
    problem = residual_problem()
    problem.record((6, 5), 0.99)
    assert problem.best() is None
    problem.record((2, 2), 0.3)
    better = problem.record((3, 2), 0.5)
    problem.record((2, 3), 0.5)
    assert problem.best() is better


def test_every_budget_counts() -> None:
    model = tiny("residual")
    budgets = [Budget.parse("macs=0.9"), Budget.parse("params=0.3")]
    problem = Problem(model, images(), budgets, task=Classification(None, HOLDOUT))
    problem.record((5, 5), 1.0)
    assert problem.limits.items[0].cost((5, 5)) <= problem.limits.items[0].most
    assert problem.best() is None


def test_each_new_outcome_is_announced_with_the_best_within_the_budget() -> None:
    problem = residual_problem()
    seen: list[tuple[Outcome, Outcome | None]] = []
    problem = problem.with_history(on_outcome=lambda outcome, best: seen.append((outcome, best)))
    over, small = problem.evaluate((6, 5)), problem.evaluate((2, 2))
    problem.evaluate((6, 5))
    problem.record((3, 2), -1.0)
    assert seen[:2] == [(over, None), (small, small)]
    assert len(seen) == 3
    assert seen[2][1] is small


def test_a_restart_forgets_everything_but_the_problem() -> None:
    problem = residual_problem(calibration=CALIBRATION)
    before = problem.evaluate((4, 3))
    problem.restart()
    assert problem.outcomes == ()
    assert problem.best() is None
    again = problem.evaluate((4, 3))
    assert again is not before
    assert (again.number, again.score) == (0, before.score)


def test_a_result_is_the_search_so_far() -> None:
    problem = residual_problem()
    problem.evaluate((6, 5))
    best = problem.evaluate((2, 2))
    result = problem.result(tuned_steps=7, weights={"a": torch.zeros(1)})
    assert result.best is best
    assert result.outcomes == problem.outcomes
    assert result.seconds >= best.seconds
    assert result.tuned_steps == 7
    assert result.weights is not None
    problem.evaluate((3, 2))
    assert len(result.outcomes) == 2


def test_a_strategy_may_choose_another_than_the_most_accurate() -> None:
    problem = residual_problem()
    chosen = problem.record((2, 2), 0.1)
    problem.record((3, 2), 0.9)
    assert problem.result(chosen).best is chosen


def test_a_search_without_anything_within_the_budget_has_no_result() -> None:
    problem = residual_problem()
    problem.evaluate((6, 5))
    with pytest.raises(ValueError, match="evaluated nothing within the budget"):
        problem.result()


def test_the_network_is_the_one_that_prune_makes_of_the_policy() -> None:
    model = tiny("residual")
    task = Classification(None, HOLDOUT, calibration=CALIBRATION)
    problem = Problem(model, images(), [Budget("macs", 0.5)], task, criterion="l2", seed=3)
    policy = Policy.from_json(problem.policy((4, 2), {"strategy": "test"}).to_json())
    assert (policy.criterion, policy.origin) == ("l2", {"strategy": "test"})
    other = prune(tiny("residual"), policy, images(), calibration=CALIBRATION, seed=3)
    for key, tensor in problem.network((4, 2)).state_dict().items():
        assert torch.equal(other.state_dict()[key], tensor), key


def test_calibration_makes_a_refit() -> None:
    plain, refit = residual_problem(), residual_problem(calibration=CALIBRATION)
    one, other = (problem.network((4, 3)).conv3.weight for problem in (plain, refit))
    assert not torch.equal(one, other)


def test_a_bare_network_is_what_is_cut_without_calibration() -> None:
    refit, plain = residual_problem(calibration=CALIBRATION), residual_problem()
    found = refit.bare((4, 3)).state_dict()
    wanted = plain.network((4, 3)).state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    repaired = refit.network((4, 3)).state_dict()
    assert any(not torch.equal(found[name], repaired[name]) for name in wanted)


def test_the_model_is_never_changed() -> None:
    model = tiny("residual")
    before = copy.deepcopy(model.state_dict())
    problem = Problem(
        model,
        images(),
        [Budget("macs", 0.5)],
        task=Classification(None, HOLDOUT, calibration=CALIBRATION),
    )
    problem.evaluate((2, 2))
    problem.evaluate((6, 5))
    problem.unpruned_score()
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_keeping_everything_is_the_unpruned_network() -> None:
    problem = residual_problem(calibration=CALIBRATION)
    found = problem.evaluate(problem.graph.full).score
    assert problem.unpruned_score() == accuracy(tiny("residual"), HOLDOUT)
    assert found == pytest.approx(problem.unpruned_score(), abs=0.02)


@pytest.mark.parametrize("kept", [(0, 3), (7, 3), (4,), (4, 3, 1), (4, -1)])
def test_counts_that_do_not_suit_the_network_are_refused(kept: tuple[int, ...]) -> None:
    problem = residual_problem()
    with pytest.raises(ValueError, match=r"do not suit groups of \(6, 5\) units"):
        problem.evaluate(kept)
    assert problem.outcomes == ()


def test_an_impossible_budget_is_refused_at_once() -> None:
    with pytest.raises(BudgetError, match=r"budget macs=0\.01 cannot be reached"):
        residual_problem("macs=0.01")
    with pytest.raises(BudgetError, match=r"at most 0\.1 per layer"):
        residual_problem("macs=0.5", rounding=Rounding(max_ratio=0.1, depth=False))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(LookupError, match="unknown cost 'flops'"):
        residual_problem("flops=0.5")
    with pytest.raises(LookupError, match="unknown criterion 'best'"):
        residual_problem(criterion="best")


def test_a_network_with_nothing_to_prune_is_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    with pytest.raises(GraphError, match="nothing that can be pruned"):
        Problem(net, images(), [Budget("macs", 0.5)], task=Classification(None, HOLDOUT))


@pytest.mark.parametrize("sizes", [(-1, 20), (-1, 4, 5)])
def test_a_layer_whose_number_of_channels_is_fixed_stays_whole(sizes: tuple[int, ...]) -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        pooled = torch.relu(net.two(averaged(torch.relu(net.one(inputs)))))
        return net.linear(pooled.view(*sizes).flatten(1))

    layers = {"two": nn.Linear(6, 20), "linear": nn.Linear(20, 4)}
    net = Wired(forward, one=nn.Conv2d(3, 6, 1), **layers)
    problem = Problem(net, images(), [Budget("macs", 0.9)], task=Classification(None, HOLDOUT))
    assert [group.name for group in problem.graph.groups] == ["one"]
    assert [item.name for item in problem.graph.fixed] == ["two", "linear"]


def test_branches_that_must_stay_of_one_width_stay_whole() -> None:
    def forward(net: Any, inputs: torch.Tensor) -> torch.Tensor:
        left, right = averaged(net.left(inputs)), averaged(net.right(inputs))
        if left.shape != right.shape:
            raise ValueError("both branches must be of one width")
        return net.one(torch.relu(left)) + net.two(torch.relu(right))

    branches = {"left": nn.Conv2d(3, 6, 1), "right": nn.Conv2d(3, 6, 1)}
    net = Wired(forward, **branches, one=nn.Linear(6, 4), two=nn.Linear(6, 4))
    with pytest.raises(GraphError, match=r"left: .*both branches must be of one width"):
        Problem(net, images(), [Budget("macs", 0.5)], task=Classification(None, HOLDOUT))


def test_bytes_are_evaluated_as_the_network_is_used_to() -> None:
    pixels = torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8)
    labels = torch.randint(4, (40,))
    raw = Samples(pixels, labels, (0.5,) * 3, (0.25,) * 3)
    ready = Samples(raw.floats(), labels)
    kept = (4, 3)
    one, other = (residual_problem(holdout=data).evaluate(kept).score for data in (raw, ready))
    assert one == other
