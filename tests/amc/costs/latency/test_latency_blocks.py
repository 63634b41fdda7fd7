"""Widths in whole blocks of channels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import amc
from amc.costs import COSTS
from amc.costs.latency import in_blocks, usual_counts
from amc.granularity import Rounding
from amc.pruning import decisions


def chain(*widths: int) -> nn.Module:
    """Convolutions of these widths, one behind the other, and a classifier."""
    sizes = (3, *widths)
    layers = [
        part
        for inputs, outputs in zip(sizes, widths, strict=False)
        for part in (nn.Conv2d(inputs, outputs, 1), nn.ReLU())
    ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 5))


def graph_of(*widths: int) -> amc.PruningGraph:
    return amc.trace(chain(*widths), torch.zeros(1, 3, 2, 2))


def test_blocks_by_hand() -> None:
    graph = graph_of(3, 7, 8, 15, 16, 31, 32, 63, 64, 200)
    legal = in_blocks(graph, Rounding(max_ratio=0.8)).legal(graph.full)
    assert [counts.step for counts in legal] == [1, 1, 4, 4, 4, 4, 8, 8, 16, 16]  # type: ignore[attr-defined]
    assert list(legal[2]) == [4, 8]
    assert list(legal[4]) == [4, 8, 12, 16]
    assert list(legal[7]) == [16, 24, 32, 40, 48, 56, 63]
    assert list(legal[9]) == [*range(48, 200, 16), 200]


@given(st.lists(st.integers(2, 150), min_size=1, max_size=3))
def test_every_layer_has_whole_blocks_or_is_whole(widths: list[int]) -> None:
    graph = graph_of(*widths)
    for units, counts in zip(
        graph.full, in_blocks(graph, Rounding()).legal(graph.full), strict=True
    ):
        small = units < 8
        assert all(count % 4 == 0 or count == units or small for count in counts)
        assert len(counts) > 1


def test_blocks_become_smaller_where_more_may_go() -> None:
    graph = graph_of(64, 64)
    for most, step in ((0.8, 16), (0.9, 8), (0.95, 8), (0.97, 4)):
        assert in_blocks(graph, Rounding(max_ratio=most)).steps == (step, step)


def test_a_unit_of_many_channels_is_a_block_by_itself() -> None:
    layer = nn.TransformerEncoderLayer(64, 4, 96, batch_first=True).eval()
    graph = amc.trace(layer, torch.randn(1, 5, 64))
    steps = dict(zip(graph.full, in_blocks(graph, Rounding()).steps, strict=True))
    assert steps[4] == 1  # of 16 channels each
    assert steps[96] == 16


def test_masked_weights_are_free() -> None:
    graph = decisions(chain(64), torch.zeros(1, 3, 2, 2), "element")
    rounding = graph.granularity.rounding()
    assert in_blocks(graph, rounding) == rounding


@pytest.mark.parametrize("round_to", ["auto", 1, 3])
def test_a_search_takes_them_unless_it_is_told_otherwise(round_to: int | str) -> None:
    inputs = torch.randn(20, 3, 4, 4)
    found = amc.search(
        chain(64, 40),
        inputs[:1],
        amc.Unlabelled(inputs),
        budget="macs=0.5",
        strategy="random",
        episodes=4,
        **({} if round_to == "auto" else {"round_to": round_to}),  # type: ignore[arg-type]
    )
    steps = (16, 8) if round_to == "auto" else (round_to, round_to)
    for outcome in found.outcomes:
        for kept, full, step in zip(outcome.kept, (64, 40), steps, strict=True):
            assert kept % int(step) == 0 or kept == full


def test_other_words_are_refused() -> None:
    inputs = torch.randn(20, 3, 4, 4)
    with pytest.raises(ValueError, match="round_to is 'hardware'; give a whole number or 'auto'"):
        amc.search(
            chain(8),
            inputs[:1],
            amc.Unlabelled(inputs),
            budget="macs=0.5",
            round_to="hardware",  # type: ignore[arg-type]
        )


def test_a_budget_out_of_their_reach_frees_every_count() -> None:
    graph, plain = graph_of(16, 16), Rounding(max_ratio=0.95)
    for budget, legal in (("params=0.3", in_blocks(graph, plain)), ("params=0.05", plain)):
        assert usual_counts(graph, plain, [amc.Budget.parse(budget)], COSTS) == legal
