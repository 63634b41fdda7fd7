"""Latency from tables of which the truth is known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import in_blocks, rising, table_of
from tiny_networks import TINY, images, random_kept, tiny
from torch import nn

from amc.costs import COSTS, BudgetError, Limits
from amc.costs.latency import Latency, LatencyTableError, fast_counts, reach
from amc.granularity import Granularity, Rounding
from amc.graph import PruningGraph
from amc.policy import Budget
from amc.pruning.masks import masking_graph
from amc.rules.projection import project
from amc.tracing.build import survey, trace

RESIDUAL = trace(tiny("residual"), images())


def truth(graph: PruningGraph, kept: Any, formula: Any) -> float:
    """The sum over the layers."""
    outputs, inputs = graph.widths(kept)
    rows = [row for row, layer in enumerate(graph.layers) if layer.kind != "norm"]
    return sum(formula(int(inputs[row]), int(outputs[row])) for row in rows)


@pytest.mark.parametrize("name", TINY)
def test_it_is_the_sum_over_the_layers_corrected(name: str) -> None:
    graph = trace(tiny(name), images())
    latency = Latency(graph, table_of(graph, in_blocks, constant=1e-3, scale=2.0))
    for seed in range(5):
        kept = random_kept(graph.full, seed)
        assert latency(kept) == pytest.approx(1e-3 + 2 * truth(graph, kept, in_blocks))


@pytest.mark.parametrize("name", TINY)
def test_many_policies_take_together_what_they_take_one_by_one(name: str) -> None:
    graph = trace(tiny(name), images())
    kept = np.array([random_kept(graph.full, seed) for seed in range(5)])
    for counts in (None, [range(1, units + 1) for units in graph.full]):
        latency = Latency(graph, table_of(graph, in_blocks, constant=1e-3), counts)
        assert latency.each(kept).tolist() == [latency(row) for row in kept.tolist()]


def test_layers_by_hand() -> None:
    # conv1 3 -> 6, conv2 6 -> 5, conv3 5 -> 6, linear 6 -> 4; norms have no time of their own.
    latency = Latency(RESIDUAL, table_of(RESIDUAL, lambda i, o: i * o, constant=0.5))
    assert latency.per_layer([6, 5]).tolist() == [18, 0, 30, 0, 30, 0, 24]
    assert latency.per_layer([4, 2]).tolist() == [12, 0, 8, 0, 8, 0, 16]
    assert latency([4, 2]) == 44.5
    assert latency.unit == "seconds"


def test_a_module_that_is_called_twice_counts_twice() -> None:
    table = table_of(RESIDUAL, lambda i, o: i * o)
    twice = replace(table, calls=(*table.calls, table.calls[1]))
    once = Latency(RESIDUAL, table).per_layer([6, 5])
    more = Latency(RESIDUAL, twice).per_layer([6, 5])
    assert (more - once).tolist() == [0, 0, 30, 0, 0, 0, 0]


def test_a_wider_layer_can_be_faster() -> None:
    latency = Latency(RESIDUAL, table_of(RESIDUAL, in_blocks))
    assert latency([4, 5]) < latency([3, 5])


KEPT = st.tuples(*(st.integers(1, units) for units in RESIDUAL.full))


@given(KEPT, KEPT)
@settings(deadline=None)
def test_over_given_counts_it_never_falls(one: Any, other: Any) -> None:
    legal = Rounding(1, 0.99).legal(RESIDUAL.full)
    latency = Latency(RESIDUAL, table_of(RESIDUAL, in_blocks), legal)
    plain = Latency(RESIDUAL, table_of(RESIDUAL, in_blocks))
    assert latency(np.maximum(one, other)) >= latency(one) >= plain(one)
    assert (latency.per_layer(np.maximum(one, other)) >= latency.per_layer(one)).all()


def test_fast_counts_are_the_edges_of_steps(resnet8: Any) -> None:
    legal = Rounding(1, 0.8).legal(resnet8.graph.full)
    latency = Latency(resnet8.graph, table_of(resnet8.graph, in_blocks))
    for fast, all_of_them in zip(fast_counts(resnet8.graph, latency, legal), legal, strict=True):
        assert fast == tuple(n for n in all_of_them if n % 4 == 0)


def test_where_every_count_is_faster_all_stay() -> None:
    legal = Rounding(1, 0.99).legal(RESIDUAL.full)
    latency = Latency(RESIDUAL, table_of(RESIDUAL, rising))
    assert fast_counts(RESIDUAL, latency, legal) == tuple(map(tuple, legal))


WIDE = trace(nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 4, 3)), images())
BY_FOUR = Rounding(4, 0.9).legal(WIDE.full)


@pytest.mark.parametrize(
    ("half", "fast"),
    [(0.5, (4, 8, 12, 16, 20, 24, 28, 32)), (0.75, (4, 8, 16, 24, 32)), (1.0, (8, 16, 24, 32))],
)
def test_half_a_block_that_takes_more_than_its_part_is_not_fast(half: float, fast: Any) -> None:
    def formula(inputs: int, outputs: int) -> float:
        """Blocks of 8 outputs, of which half a one takes so much."""
        return 1e-6 * (outputs // 8 + half * (outputs % 8 > 0))

    latency = Latency(WIDE, table_of(WIDE, formula))
    assert fast_counts(WIDE, latency, BY_FOUR) == (fast,)


@given(st.lists(st.floats(0.1, 1), min_size=8, max_size=8))
def test_what_full_blocks_beat_is_never_the_way_to_the_smallest(steps: list[float]) -> None:
    times = dict(zip(BY_FOUR[0], np.cumsum(steps).tolist(), strict=True))
    latency = Latency(WIDE, table_of(WIDE, lambda i, o: times.get(o, 1e3), counts=BY_FOUR))
    (fast,) = fast_counts(WIDE, latency, BY_FOUR)
    assert fast[0] == 4
    assert fast[-1] == 32
    assert {8, 16, 24} <= set(fast)


def test_over_fast_counts_the_cost_is_the_prediction(resnet8: Any) -> None:
    graph, table = resnet8.graph, table_of(resnet8.graph, in_blocks)
    plain = Latency(graph, table)
    fast = fast_counts(graph, plain, Rounding(1, 0.8).legal(graph.full))
    cost = Latency(graph, table, fast)
    chance = np.random.default_rng(0)
    for _ in range(20):
        kept = [int(chance.choice(counts)) for counts in fast]
        assert cost(kept) == pytest.approx(plain(kept))


def test_a_budget_holds_and_unused_room_is_small(resnet8: Any) -> None:
    graph, table = resnet8.graph, table_of(resnet8.graph, in_blocks)
    legal = Rounding(1, 0.8).legal(graph.full)
    rounding = Rounding(1, 0.8, widths=fast_counts(graph, Latency(graph, table), legal))
    costs = {**COSTS, "latency": partial(Latency, table=table, counts=rounding.widths)}
    limits = Limits.of(graph, [Budget("latency", 0.6)], costs, rounding)
    kept = project(limits, np.full(len(graph.groups), 0.5))
    full = truth(graph, graph.full, in_blocks)
    assert 0.5 * full < truth(graph, kept, in_blocks) <= 0.6 * full


def test_a_narrower_layer_than_was_measured_is_refused() -> None:
    table = table_of(RESIDUAL, counts=Rounding(1, 0.5).legal(RESIDUAL.full))
    latency = Latency(RESIDUAL, table)
    assert latency([3, 3]) > 0
    with pytest.raises(ValueError, match="layer 'conv1' with 3 inputs and 2 outputs is narrower"):
        latency([2, 3])


def test_a_table_of_another_network_is_refused_naming_the_first_difference() -> None:
    other = trace(tiny("depthwise"), images())
    with pytest.raises(LatencyTableError, match=r"where this one has name .* at layer"):
        Latency(other, table_of(RESIDUAL))
    layers = table_of(RESIDUAL).layers
    larger = (layers[0], replace(layers[1], in_size=(16, 16)), *layers[2:])
    with pytest.raises(LatencyTableError, match=r"has in_size \(8, 8\) at layer 'conv2', it has"):
        Latency(RESIDUAL, replace(table_of(RESIDUAL), layers=larger))
    with pytest.raises(LatencyTableError, match="it has 3 layers, this one 4"):
        Latency(RESIDUAL, replace(table_of(RESIDUAL), layers=layers[:3]))


@pytest.mark.parametrize("granularity", ["element", "vector", "kernel"])
def test_masks_save_no_time_so_a_budget_of_it_is_refused(granularity: str) -> None:
    seen = survey(tiny("residual"), images())
    graph = masking_graph(seen, Granularity.parse(granularity))
    costs = {"latency": partial(Latency, table=table_of(RESIDUAL))}
    rounding = Granularity.parse(granularity).rounding()
    with pytest.raises(BudgetError, match=r"zeros are .*computed like other weights"):
        Limits.of(graph, [Budget("latency", 0.9)], costs, rounding)


def test_reach_of_layers_by_hand() -> None:
    own = reach(RESIDUAL, [(2, 6), (1, 3, 5)])
    by_name = dict(zip((layer.name for layer in RESIDUAL.layers), own, strict=True))
    assert (by_name["conv1"].inputs, by_name["conv1"].outputs) == ((3,), (2, 6))
    assert (by_name["conv2"].inputs, by_name["conv2"].outputs) == ((2, 6), (1, 3, 5))
    assert by_name["norm1"].tied
    assert not by_name["conv3"].tied
