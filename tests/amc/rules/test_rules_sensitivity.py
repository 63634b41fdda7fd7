"""The sensitivity scan: curves from outcomes, cut by one threshold."""

from dataclasses import dataclass

import numpy as np
import pytest
from limit_cases import limits_of, perceptron
from tiny_networks import images, samples, tiny

from amc.policy import Budget
from amc.problem import Problem
from amc.rules import Sensitivity
from amc.rules.sensitivity import Curve, curves, cut_at_threshold, scanned_counts
from amc.tasks import Classification


@dataclass(frozen=True)
class Candidate:
    kept: tuple[int, ...]
    merit: float


def curve(*points: tuple[float, float]) -> Curve:
    ratios, merits = zip(*points, strict=True)
    return Curve(np.array(ratios), np.array(merits))


def test_curves_are_the_candidates_with_one_group_pruned() -> None:
    measured = [
        Candidate((10, 20), 0.9),
        Candidate((2, 20), 0.3),
        Candidate((5, 20), 0.8),
        Candidate((10, 5), 0.7),
        Candidate((5, 5), 0.1),
    ]
    first, second = curves((10, 20), measured)
    assert first.ratios == pytest.approx([0, 0.5, 0.8])
    assert first.merits.tolist() == [0.9, 0.8, 0.3]
    assert second.ratios == pytest.approx([0, 0.75])
    assert second.merits.tolist() == [0.9, 0.7]


def test_curves_need_the_unpruned_network() -> None:
    with pytest.raises(ValueError, match="need the unpruned network"):
        curves((10,), [Candidate((5,), 0.5)])


def test_the_threshold_cuts_between_scanned_ratios() -> None:
    found = curve((0, 0.9), (0.5, 0.8), (0.8, 0.2))
    assert found.ratio_at(0.95) == 0
    assert found.ratio_at(0.85) == pytest.approx(0.25)
    assert found.ratio_at(0.8) == pytest.approx(0.5)
    assert found.ratio_at(0.4) == pytest.approx(0.7)
    assert found.ratio_at(0.2) == found.ratio_at(0.0) == 0.8


def test_what_a_curve_once_lost_counts_as_lost() -> None:
    found = curve((0, 0.9), (0.2, 0.7), (0.4, 0.85), (0.6, 0.6))
    assert found.envelope.tolist() == [0.9, 0.7, 0.7, 0.6]
    assert found.ratio_at(0.8) == pytest.approx(0.1)
    assert found.ratio_at(0.7) == pytest.approx(0.4)


def test_a_rise_above_the_unpruned_network_costs_nothing() -> None:
    assert curve((0, 0.9), (0.3, 0.95), (0.6, 0.5)).ratio_at(0.9) == pytest.approx(0.3)


def test_scanned_counts_are_legal_and_end_at_the_smallest() -> None:
    limits = limits_of(perceptron((100, 10)), max_ratio=0.8)
    assert scanned_counts(limits, 0, 9) == [90, 80, 70, 60, 50, 40, 30, 20]
    assert scanned_counts(limits, 0, 1) == [50, 20]
    assert scanned_counts(limits, 1, 3) == [8, 5, 3, 2]
    wide = limits_of(perceptron((100,)), max_ratio=0.95)
    assert scanned_counts(wide, 0, 9)[-2:] == [10, 5]
    coarse = limits_of(perceptron((100, 5)), max_ratio=0.8, round_to=8)
    # Five units are fewer than one step.
    assert scanned_counts(coarse, 1, 9) == []
    assert all(count in coarse.counts[0] for count in scanned_counts(coarse, 0, 9))


def test_the_more_sensitive_group_is_pruned_less() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.5), max_ratio=0.9)
    steep = curve((0, 0.9), (0.9, 0.0))
    flat = curve((0, 0.9), (0.9, 0.6))
    kept = cut_at_threshold(limits, [steep, flat])
    # Both lose the same accuracy, so that the flat one loses three times the units.
    assert (100 - kept[1]) / (100 - kept[0]) == pytest.approx(3, rel=0.05)
    assert limits.fits(kept)


def test_the_smallest_network_can_be_reached() -> None:
    graph = perceptron((100, 10))
    least = limits_of(graph, max_ratio=0.8).smallest
    limits = limits_of(graph, Budget("macs", 5 * 20 + 20 * 2 + 3 * 2, relative=False))
    found = [curve((0, 0.9), (0.3, 0.1), (0.8, 0.3)), curve((0, 0.9), (0.8, 0.85))]
    assert cut_at_threshold(limits, found) == least


def test_ratios_that_cost_nothing_are_scaled_down_to_a_mild_budget() -> None:
    limits = limits_of(perceptron((100, 100)), Budget("macs", 0.9), max_ratio=0.8)
    found = [curve((0, 0.9), (0.8, 0.9)), curve((0, 0.9), (0.4, 0.9), (0.8, 0.1))]
    kept = cut_at_threshold(limits, found)
    assert 0.89 < limits.items[0].cost(kept) / limits.items[0].full <= 0.9
    assert (100 - kept[0]) / (100 - kept[1]) == pytest.approx(2, rel=0.25)


def test_the_strategy_scans_every_group_and_evaluates_what_it_concludes() -> None:
    problem = Problem(
        tiny("residual"), images(), [Budget("macs", 0.5)], task=Classification(None, samples(40))
    )
    result = Sensitivity(ratios=3).search(problem, seed=0)
    scan = [outcome.kept for outcome in result.outcomes[:-1]]
    assert scan == [(6, 5), (5, 5), (3, 5), (2, 5), (6, 4), (6, 3), (6, 1)]
    assert problem.limits.fits(result.outcomes[-1].kept)
    found = curves(problem.graph.full, result.outcomes)
    assert [len(one.ratios) for one in found] == [4, 4]


def test_a_scan_without_ratios_or_without_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="ratios is 0; it must be 1 to 1000"):
        Sensitivity(ratios=0)
    free = Problem(tiny("residual"), images(), [], task=Classification(None, samples(20)))
    with pytest.raises(ValueError, match="sensitivity needs a budget"):
        Sensitivity().search(free, seed=0)
