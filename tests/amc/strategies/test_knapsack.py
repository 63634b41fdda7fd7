"""The knapsack: costs as sums, exact choices by brute force, weights that lead to better ones."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from amc.costs import COSTS
from amc.granularity import Rounding
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import fill_up, uniform
from amc.strategies import Knapsack
from amc.strategies.knapsack.choices import COUNTS, Choices
from amc.strategies.knapsack.losses import scan
from amc.strategies.knapsack.solver import Solver
from amc.strategies.knapsack.terms import Terms, terms_of
from amc.tasks import Classification
from amc.tasks.samples import Samples


class Block(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, inner, 3, padding=1)
        self.two = nn.Conv2d(inner, inner, 3, padding=1)
        self.last = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.last(torch.relu(self.two(torch.relu(self.one(x)))))
        return made


class Residual(nn.Module):
    """Two branches that may go, the first of two groups beside the stream's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1)
        self.first, self.second = Block(6, 4), Block(6, 3)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.second(self.first(self.stem(x))).mean((2, 3)))
        return made


def problem(budget: str = "macs=0.4") -> Problem:
    torch.manual_seed(0)
    images = torch.randn(40, 2, 5, 5)
    return Problem(
        Residual(),
        images[:1],
        [Budget.parse(one) for one in budget.split(",")],
        task=Classification(None, Samples(images, (images[:, 0].mean((1, 2)) > 0).long())),
        rounding=Rounding(1, 0.8, depth=True),
    )


def summed(terms: Terms, choices: Choices, taken: tuple[int, ...]) -> float:
    places = [own.index(one) for own, one in zip(choices.options, taken, strict=True)]
    single = sum(own[at] for own, at in zip(terms.single, places, strict=True))
    pairs = sum(table[places[a], places[b]] for (a, b), table in terms.pairs.items())
    return float(terms.full + single + pairs)


def whole_where_gone(choices: Choices, taken: tuple[int, ...]) -> tuple[int, ...]:
    gone = [
        group
        for at in range(choices.groups, len(taken))
        if taken[at] == 0
        for group in choices.ended[at]
    ]
    return tuple(choices.options[at][-1] if at in gone else one for at, one in enumerate(taken))


@pytest.mark.parametrize("cost", ["macs", "params", "size"])
def test_a_cost_is_the_sum_of_its_terms(cost: str) -> None:
    choices = Choices(problem().limits)
    made = COSTS[cost](choices.limits.graph)
    terms = terms_of(made, choices)
    random = np.random.default_rng(0)
    assert len(choices.options) == choices.groups + 2
    for _ in range(200):
        taken = tuple(int(random.choice(own)) for own in choices.options)
        asked = whole_where_gone(choices, taken)
        assert summed(terms, choices, asked) == pytest.approx(made(choices.policy(taken)))


def test_pairs_are_only_those_that_share_a_layer() -> None:
    choices = Choices(problem().limits)
    terms = terms_of(COSTS["macs"](choices.limits.graph), choices)
    names = [group.name for group in choices.limits.graph.groups]
    inner = names.index("first.one"), names.index("second.one")
    assert inner not in terms.pairs
    assert (names.index("first.one"), names.index("first.two")) in terms.pairs


@pytest.mark.parametrize("budget", ["macs=0.4", "macs=0.7", "macs=0.6,params=0.35"])
@pytest.mark.parametrize("seed", range(5))
def test_no_choice_within_the_budgets_loses_less(budget: str, seed: int) -> None:
    limits = problem(budget).limits
    choices = Choices(limits)
    solver = Solver(choices, tuple(terms_of(item.cost, choices) for item in limits.items))
    random = np.random.default_rng(seed)
    losses = [np.sort(random.random(len(own)))[::-1] - 0.0 for own in choices.options]
    for own in losses:
        own -= own[-1]

    def loss(taken: tuple[int, ...]) -> float:
        places = [own.index(one) for own, one in zip(choices.options, taken, strict=True)]
        return float(sum(own[at] for own, at in zip(losses, places, strict=True)))

    least = min(
        loss(whole_where_gone(choices, taken))
        for taken in product(*choices.options)
        if limits.fits(choices.policy(taken))
    )
    taken = solver.solve(losses, [item.most for item in limits.items])
    assert taken is not None
    assert limits.fits(choices.policy(taken))
    assert loss(whole_where_gone(choices, taken)) == pytest.approx(least, rel=2e-3)


def test_a_budget_out_of_reach_has_no_solution() -> None:
    limits = problem().limits
    choices = Choices(limits)
    solver = Solver(choices, (terms_of(limits.items[0].cost, choices),))
    assert solver.solve([np.zeros(len(own)) for own in choices.options], [1.0]) is None


def test_what_is_left_of_a_budget_is_filled_up_and_what_is_gone_stays_gone() -> None:
    limits = problem().limits
    kept = tuple(
        0 if least == 0 else few for least, few in zip(limits.smallest, limits.fewest, strict=True)
    )
    filled = fill_up(limits, kept)
    assert limits.fits(filled)
    assert [one == 0 for one in filled] == [one == 0 for one in kept]
    for at, more in enumerate(limits.above(np.array(filled)[None])[0].tolist()):
        grown = (*filled[:at], more, *filled[at + 1 :])
        assert filled[at] == 0 or grown == filled or not limits.fits(grown)


def test_the_scan_looks_at_branches_first_and_losses_never_grow_with_what_is_kept() -> None:
    asked = problem()
    choices = Choices(asked.limits)
    losses = scan(asked, choices, 6)
    assert len(asked.outcomes) == 6
    assert sum(asked.outcomes[0].kept) == sum(asked.graph.full)
    assert all(0 in one.kept for one in asked.outcomes[1:3])
    assert all((np.diff(own) <= 0).all() and own[-1] == 0 for own in losses.values)
    assert all((own[:-1] > 0).all() for own in losses.values)


def test_of_many_counts_few_are_options() -> None:
    legal = Choices(problem().limits).options[0]
    assert legal[-1] == 6
    wide = nn.Sequential(nn.Linear(4, 300), nn.ReLU(), nn.Linear(300, 2))
    images = torch.randn(20, 4)
    task = Classification(None, Samples(images, (images[:, 0] > 0).long()))
    limits = Problem(wide, images[:1], [Budget("macs", 0.5)], task=task).limits
    (options,) = Choices(limits).options
    assert len(options) == COUNTS
    assert options[0] == limits.smallest[0]
    assert options[-1] == 300


def test_it_begins_uniform_keeps_to_its_episodes_and_is_the_same_again() -> None:
    first, again = (Knapsack(episodes=14).search(problem(), seed=1) for _ in range(2))
    assert first.outcomes[0].kept == uniform(problem().limits)
    assert len(first.outcomes) <= 14
    assert [one.kept for one in first.outcomes] == [one.kept for one in again.outcomes]
    assert any(0 in one.kept for one in first.outcomes), "whole branches are looked at"


def test_few_episodes_are_not_spent_on_a_scan() -> None:
    assert len(Knapsack(episodes=3).search(problem(), seed=0).outcomes) == 1
