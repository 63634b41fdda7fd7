"""Projection onto the budget: it holds, is used up, and the proportions asked for stay."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from limit_cases import Case, cases, limits_of, perceptron
from numpy.typing import NDArray

from amc.costs import COSTS, BudgetError, Limits, Params
from amc.granularity import Granularity, Rounding
from amc.graph import Group, Layer, PruningGraph
from amc.policy import Budget
from amc.rules.projection import BISECTIONS, ROUNDS, bisect, fill, project, project_all


@given(cases())
@settings(max_examples=40)
def test_projected_counts_are_legal_and_hold_every_budget(case: Case) -> None:
    kept = project(case.limits, case.ratios)
    assert case.limits.fits(kept)
    assert all(count in legal for count, legal in zip(kept, case.limits.counts, strict=True))


@given(cases())
@settings(max_examples=40)
def test_nothing_more_fits_after_filling_but_to_groups_that_were_given_much(case: Case) -> None:
    limits = case.limits
    ratios = np.minimum(limits.rounding.max_ratio, np.asarray(case.ratios))
    down = limits.below(ratios)
    assume(limits.fits(down))
    kept = fill(limits, ratios)
    assert limits.fits(kept)
    for number, legal in enumerate(limits.counts):
        counts = list(legal)
        given = counts.index(kept[number]) - counts.index(down[number])
        assert 0 <= given <= ROUNDS
        if given < ROUNDS and kept[number] < legal[-1]:
            more = (*kept[:number], counts[counts.index(kept[number]) + 1], *kept[number + 1 :])
            assert not limits.fits(more)


@given(cases())
@settings(max_examples=40)
def test_only_the_proportions_of_the_ratios_matter(case: Case) -> None:
    halved = [ratio / 2 for ratio in case.ratios]
    assert project(case.limits, halved) == project(case.limits, case.ratios)


@given(cases())
@settings(max_examples=40)
def test_a_group_of_ratio_zero_stays_whole_while_the_others_suffice(case: Case) -> None:
    limits = case.limits
    assume(any(case.ratios))
    others = [
        fewest if ratio > 0 else units
        for ratio, fewest, units in zip(
            case.ratios, limits.smallest, limits.graph.full, strict=True
        )
    ]
    assume(limits.fits(others))
    kept = project(limits, case.ratios)
    for count, ratio, units in zip(kept, case.ratios, limits.graph.full, strict=True):
        assert ratio > 0 or count == units


@given(cases(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_many_policies_are_projected_together_as_one_by_one(case: Case, seed: int) -> None:
    drawn = np.random.default_rng(seed).random((6, len(case.ratios)))
    asked = np.array([case.ratios, *drawn])
    wanted = [project(case.limits, ratios) for ratios in asked]
    assert project_all(case.limits, asked) == wanted


def test_a_group_set_to_zero_loses_nothing_at_a_tight_budget() -> None:
    graph = perceptron((1000, 1000, 1000))
    least = COSTS["macs"](graph)((100, 1000, 100)) / COSTS["macs"](graph)(graph.full)
    limits = limits_of(graph, Budget("macs", least), max_ratio=0.9)
    assert project(limits, [0.5, 0.0, 0.3]) == (100, 1000, 100)


def test_a_group_set_to_zero_loses_nothing_beside_ones_that_are_hardly_pruned() -> None:
    # Pruning the last layer alone leaves more than half.
    limits = limits_of(perceptron((100, 100, 5)), Budget("macs", 0.5), max_ratio=0.8)
    kept = project(limits, [1e-6, 0.0, 0.5])
    assert kept[1:] == (100, 1)
    assert kept[0] < 100


def test_the_proportions_are_kept() -> None:
    limits = limits_of(perceptron((1000, 1000, 1000)), Budget("macs", 0.6), max_ratio=0.9)
    kept = np.array(project(limits, [0.1, 0.2, 0.4]))
    ratios = 1 - kept / 1000
    assert ratios[1] / ratios[0] == pytest.approx(2, rel=0.01)
    assert ratios[2] / ratios[0] == pytest.approx(4, rel=0.01)


def test_a_group_at_its_largest_ratio_leaves_the_rest_to_the_others() -> None:
    limits = limits_of(perceptron((1000, 1000, 1000)), Budget("macs", 0.2), max_ratio=0.7)
    kept = project(limits, [0.1, 0.2, 0.8])
    assert kept[2] in (300, 301)
    assert (1000 - kept[1]) / (1000 - kept[0]) == pytest.approx(2, rel=0.01)


def test_the_group_that_lost_most_by_rounding_gets_the_next_unit_first() -> None:
    limits = limits_of(perceptron((10, 10)), Budget("params", 10_000, relative=False))
    params = COSTS["params"](limits.graph)
    room_for_one = max(params((5, 6)), params((6, 5)))
    assert room_for_one < params((6, 6))
    tight = limits_of(limits.graph, Budget("params", room_for_one, relative=False))
    # Wanted are 5.2 and 5.9.
    assert fill(tight, np.array([0.48, 0.41])) == (5, 6)


def test_what_is_left_over_goes_round_more_than_once() -> None:
    graph = perceptron((100, 100))
    # Rounded down to 50 and 50, and room for three more of each: 5 a + a b + 3 b at 53 and 53.
    room = COSTS["macs"](graph)((53, 53))
    limits = limits_of(graph, Budget("macs", room, relative=False))
    assert fill(limits, np.array([0.5, 0.5])) == (53, 53)


def test_without_a_budget_ratios_are_only_rounded() -> None:
    limits = limits_of(perceptron((10, 20)), max_ratio=0.75)
    assert project(limits, [0.24, 0.0]) == (8, 20)
    assert project(limits, [1.0, 0.5]) == (3, 10)


def test_a_budget_of_everything_keeps_everything() -> None:
    limits = limits_of(perceptron((10, 33)), Budget("macs", 1.0))
    assert project(limits, [0.3, 0.9]) == (10, 33)


def test_groups_that_were_to_stay_are_pruned_if_the_others_do_not_suffice() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.1), max_ratio=0.9)
    # With a = 10 kept of the first, 5 a + a b + 3 b <= 1080 leaves b = 79 of the second.
    assert project(limits, [0.5, 0.0]) == (10, 79)


def test_ratios_of_zero_alone_are_all_alike() -> None:
    limits = limits_of(perceptron((100, 200)), Budget("macs", 0.4))
    assert project(limits, [0, 0]) == project(limits, [0.3, 0.3])


def test_a_family_that_never_fits_is_refused() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.3))
    with pytest.raises(BudgetError, match="cannot meet the budget even at their largest scale"):
        bisect(limits, lambda scale: np.array([0.3, 0.3]) * scale)


def test_bisection_finds_the_mildest_member() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.3))
    kept = bisect(limits, lambda scale: np.array([0.8, 0.8]) * scale)
    milder = tuple(count + 1 for count in kept)
    assert limits.fits(kept)
    assert not limits.fits(milder)


def single_weights(*sizes: int) -> PruningGraph:
    """Linear layers pruned weight by weight: one group each, and no shape changes."""
    layers = tuple(
        Layer(f"layer{at}", "linear", size // 1000, 1000, positions=1, area=1)
        for at, size in enumerate(sizes)
    )
    groups = tuple(
        Group(layer.name, size, (), (layer.name,), unit_weights=1)
        for layer, size in zip(layers, sizes, strict=True)
    )
    return PruningGraph(layers, groups, granularity=Granularity("element"))


class Asked(Params):
    """Parameters, and how often somebody asked for them."""

    times = 0

    def __call__(self, kept: Sequence[int]) -> float:
        type(self).times += 1
        return super().__call__(kept)

    def each(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        type(self).times += len(kept)
        return super().each(kept)


def test_groups_of_a_million_units_meet_the_budget_to_the_unit_in_few_steps() -> None:
    graph = single_weights(*[1_000_000] * 20)
    limits = Limits.of(graph, [Budget("params", 0.1)], {"params": Asked}, Rounding(max_ratio=0.99))
    kept = project(limits, np.linspace(0.5, 1, 20))
    assert sum(kept) == 2_000_000
    assert Asked.times < BISECTIONS + 20 * ROUNDS
