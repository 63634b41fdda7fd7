"""Costs against PyTorch's own counter and against really cut networks; budgets made concrete."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_networks import TINY, Wired, images, random_kept, tiny
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from amc.costs import COSTS, NM45, Amounts, BudgetError, Energy, Limits, Macs, Params, Size
from amc.costs.base import costs_of
from amc.criteria import best_units, scores
from amc.granularity import Granularity, Rounding
from amc.graph import PruningGraph
from amc.parsing.quantities import QUANTITIES
from amc.policy import Budget
from amc.pruning import decisions
from amc.pruning.masks import masking_graph
from amc.surgery import cut
from amc.tracing.build import survey, trace

RESIDUAL = trace(tiny("residual"), images())


def counted_macs(model: nn.Module, inputs: Tensor) -> float:
    """Multiply-accumulates of one sample, by PyTorch's counter."""
    on_meta = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        on_meta(inputs[:1].to("meta"))
    return counter.get_total_flops() / 2


def counted_params(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def assert_exact(model: nn.Module, graph: PruningGraph, inputs: Tensor, seed: int) -> None:
    kept = random_kept(graph.full, seed)
    smaller = cut(model, graph, best_units(scores("l1", model, graph), kept))
    assert Macs(graph)(kept) == counted_macs(smaller, inputs)
    assert Params(graph)(kept) == counted_params(smaller)


def test_costs_of_the_zoo_are_exact(zoo: Any) -> None:
    assert Macs(zoo.graph)(zoo.graph.full) == counted_macs(zoo.model, zoo.inputs)
    assert Params(zoo.graph)(zoo.graph.full) == counted_params(zoo.model)


@pytest.mark.parametrize("seed", [0, 1])
def test_costs_of_the_cut_zoo_are_exact(zoo: Any, seed: int) -> None:
    assert_exact(zoo.model, zoo.graph, zoo.inputs, seed)


@pytest.mark.parametrize("name", TINY)
def test_costs_are_exact_where_channels_couple_in_odd_ways(name: str) -> None:
    model = tiny(name)
    for seed in range(5):
        assert_exact(model, trace(model, images()), images(), seed)


def test_a_convolution_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 4, 1), nn.Flatten())
    graph = trace(net, images())
    assert Macs(graph).per_layer([5]).tolist() == [36 * 5 * 27, 36 * 4 * 5]
    assert Macs(graph).per_layer([2]).tolist() == [36 * 2 * 27, 36 * 4 * 2]
    assert Params(graph).per_layer([2]).tolist() == [2 * 27 + 2, 4 * 2 + 4]


def test_a_linear_layer_counts_every_place_it_is_applied_to() -> None:
    def forward(net: Any, inputs: Tensor) -> Tensor:
        places = inputs.flatten(2).transpose(1, 2)  # (samples, 64, 3)
        return net.two(torch.relu(net.one(places))).mean(1)

    net = Wired(forward, one=nn.Linear(3, 5), two=nn.Linear(5, 4))
    graph = trace(net, images())
    assert Macs(graph).per_layer([2]).tolist() == [64 * 3 * 2, 64 * 2 * 4]
    assert_exact(net, graph, images(), seed=0)


def test_parameters_outside_of_known_layers_stay() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 1), nn.PReLU(), nn.Conv2d(5, 6, 1), nn.Flatten())
    net = nn.Sequential(*net, nn.Linear(6 * 64, 4))
    graph = trace(net, images())
    assert Params(graph)(graph.full) == counted_params(net)
    fewest = Params(graph)([1, 1])
    assert fewest == (3 + 1) + 1 + (1 + 1) + (64 * 4 + 4)


@pytest.mark.parametrize("name", [name for name in COSTS if name != "memory"])
def test_every_cost_but_the_peak_is_the_sum_of_its_layers_and_the_rest(name: str, zoo: Any) -> None:
    cost: Any = COSTS[name](zoo.graph)
    parts = cost.per_layer(zoo.graph.full)
    work = Amounts(zoo.graph.products, zoo.graph)(zoo.graph.full)
    loose = Amounts(zoo.graph.loose_params, zoo.graph)(zoo.graph.full)
    others = {
        "macs": work,
        "params": zoo.graph.other_params + loose,
        "size": zoo.graph.other_bytes + 4 * loose,
        "energy": work * NM45.mac,
    }
    assert parts.shape == (len(zoo.graph.layers),)
    assert parts.sum() + others.get(name, 0) == pytest.approx(cost(zoo.graph.full), rel=1e-12)


@pytest.mark.parametrize("name", COSTS)
def test_many_policies_cost_together_what_they_cost_one_by_one(name: str, zoo: Any) -> None:
    cost = COSTS[name](zoo.graph)
    kept = np.array([random_kept(zoo.graph.full, seed) for seed in range(5)])
    assert costs_of(cost, kept).tolist() == [cost(row) for row in kept.tolist()]


@pytest.mark.parametrize("name", COSTS)
def test_every_cost_says_its_unit_and_has_units_for_budgets(name: str) -> None:
    assert COSTS[name](RESIDUAL).unit
    assert name in QUANTITIES


KEPT = st.tuples(*(st.integers(1, units) for units in RESIDUAL.full))


@given(st.sampled_from(sorted(COSTS)), KEPT, KEPT)
@settings(deadline=None)
def test_keeping_more_never_costs_less(name: str, one: Any, other: Any) -> None:
    cost = COSTS[name](RESIDUAL)
    assert cost(np.maximum(one, other)) >= cost(one)
    if isinstance(cost, Macs | Params | Size | Energy):
        per_layer = cost.per_layer(np.maximum(one, other)) - cost.per_layer(one)
        assert (per_layer >= 0).all()


def limits(*budgets: str, **rounding: Any) -> Limits:
    return Limits.of(RESIDUAL, [Budget.parse(b) for b in budgets], COSTS, Rounding(**rounding))


def test_all_budgets_must_hold() -> None:
    both = limits("macs=0.5", "params=60%")
    for seed in range(50):
        kept = random_kept(RESIDUAL.full, seed)
        macs = Macs(RESIDUAL)(kept) <= 0.5 * Macs(RESIDUAL)(RESIDUAL.full)
        params = Params(RESIDUAL)(kept) <= 0.6 * Params(RESIDUAL)(RESIDUAL.full)
        assert both.fits(kept) == (macs and params)
    assert {both.fits(random_kept(RESIDUAL.full, seed)) for seed in range(50)} == {True, False}


def test_no_budget_allows_everything() -> None:
    assert limits().fits(RESIDUAL.full)


def test_an_absolute_budget_is_in_the_costs_unit() -> None:
    full = Params(RESIDUAL)(RESIDUAL.full)
    assert limits(f"params={full:.0f}").fits(RESIDUAL.full)
    assert not limits(f"params={full - 1:.0f}").fits(RESIDUAL.full)


def test_the_smallest_network_keeps_the_fewest_legal_counts() -> None:
    assert limits(max_ratio=0.5, depth=False).smallest == (3, 3)
    assert limits(max_ratio=0.5, round_to=4, depth=False).smallest == (4, 4)
    # The second group is the inside of a residual block.
    assert limits(max_ratio=0.5).smallest == (3, 0)
    assert limits(max_ratio=0.5).fewest == (3, 3)


def test_an_impossible_budget_is_refused_naming_the_smallest_possible_one() -> None:
    with pytest.raises(BudgetError) as raised:
        limits("macs=0.01")
    least = Macs(RESIDUAL)(limits().smallest)
    message = str(raised.value)
    assert message.startswith("budget macs=0.01 cannot be reached")
    assert "ratio of at most 0.8 per layer" in message
    assert f"({least:,.0f} MACs)" in message
    assert "\n" not in message


def test_the_refusal_says_when_the_multiples_are_to_blame() -> None:
    with pytest.raises(
        BudgetError, match=r"in multiples of 4 allows .* budget, or give --round-to 1$"
    ):
        limits("macs=0.5", round_to=4, depth=False)
    with pytest.raises(
        BudgetError, match=r"raise the budget or --max-ratio, and give --round-to 1$"
    ):
        limits("macs=0.1", round_to=4, depth=False)


def test_the_refusal_advises_only_what_would_help() -> None:
    with pytest.raises(BudgetError, match=r"raise the budget or --max-ratio$"):
        limits("macs=0.1", depth=False)
    least = Macs(RESIDUAL)((1, 1)) / Macs(RESIDUAL)(RESIDUAL.full)
    assert 0.01 < least < 0.1
    even = rf"raise the budget: even one unit a layer has macs={least:.3f}\d; 1 layer stays whole$"
    with pytest.raises(BudgetError, match=even):
        limits("macs=0.01", depth=False)


def test_the_refusal_gives_amounts_with_units() -> None:
    with pytest.raises(BudgetError, match=r"^budget energy=1pJ .* has energy=0\.\d+ \(\d+ nJ\)"):
        limits("energy=1pJ")


@pytest.mark.parametrize("budget", ["macs=0.5", "memory=0.5"])
def test_what_zeros_do_not_save_is_refused_with_what_they_do(budget: str) -> None:
    graph = masking_graph(survey(tiny("residual"), images()), Granularity.parse("element"))
    with pytest.raises(BudgetError, match="budget of params, size or energy, or prune channels"):
        Limits.of(graph, [Budget.parse(budget)], COSTS, Rounding())
    for name in ("params", "size", "energy"):
        Limits.of(graph, [Budget(name, 0.9)], COSTS, Rounding(max_ratio=0.9))


def test_the_refusal_blames_the_ratio_where_a_mask_saves_less_than_positions_cost() -> None:
    graph = decisions(nn.Sequential(nn.Linear(100, 100)), torch.zeros(1, 100), "element")
    with pytest.raises(BudgetError, match=r"at most 0\.01 per layer .* or --max-ratio$"):
        Limits.of(graph, [Budget.parse("size=0.9")], COSTS, Rounding(max_ratio=0.01))


def test_the_refusal_of_a_pattern_names_it_and_no_ratio() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4, bias=False))
    graph, rounding = (
        decisions(model, torch.zeros(1, 6), "2:4"),
        Granularity.parse("2:4").rounding(),
    )
    with pytest.raises(BudgetError) as raised:
        Limits.of(graph, [Budget.parse("params=0.5")], COSTS, rounding)
    assert str(raised.value).endswith(
        "the smallest network that granularity 2:4 allows has params=0.8182 (72 parameters); "
        "raise the budget; 1 layer stays whole"
    )


def named_fraction(error: BudgetError) -> float:
    return float(str(error).split("has macs=")[1].split()[0])


@pytest.mark.parametrize("max_ratio", [0.05, 0.3, 0.5, 0.7, 0.8, 0.9])
def test_the_smallest_possible_budget_is_accepted_when_asked_for(
    max_ratio: float, zoo: Any
) -> None:
    rounding = Rounding(max_ratio=max_ratio)
    with pytest.raises(BudgetError) as raised:
        Limits.of(zoo.graph, [Budget("macs", 1e-6)], COSTS, rounding)
    named = named_fraction(raised.value)
    allowed = Limits.of(zoo.graph, [Budget("macs", named)], COSTS, rounding)
    assert allowed.fits(allowed.smallest)
    with pytest.raises(BudgetError):
        Limits.of(zoo.graph, [Budget("macs", named - 1e-4)], COSTS, rounding)


class Fixed:
    """A cost of `most` for the whole network, and `least` for anything less."""

    unit = "units"

    def __init__(self, most: float, least: float) -> None:
        self.most, self.least = most, least

    def __call__(self, kept: Any) -> float:
        return self.most if tuple(kept) == RESIDUAL.full else self.least

    def per_layer(self, kept: Any) -> Any:
        raise AssertionError("limits ask for the whole cost only")


@given(st.integers(1, 10**5), st.integers(1, 9_999))
@example(25, 5216)
@settings(deadline=None)
def test_the_fraction_named_is_accepted_whatever_the_numbers(
    tenthousandth: int, parts: int
) -> None:
    # Whole multiples are where floating point falls short: 0.5216 * 250,000 < 130,400.
    most, least = 10_000 * tenthousandth, parts * tenthousandth
    costs = {"macs": lambda graph: Fixed(most, least)}
    with pytest.raises(BudgetError) as raised:
        Limits.of(RESIDUAL, [Budget("macs", 1e-12)], costs, Rounding())
    named = min(named_fraction(raised.value), 1.0)
    Limits.of(RESIDUAL, [Budget("macs", named)], costs, Rounding())


def test_a_budget_for_an_unknown_cost_gets_a_suggestion() -> None:
    with pytest.raises(LookupError, match="unknown cost 'mac'; did you mean 'macs'"):
        limits("mac=0.5")
