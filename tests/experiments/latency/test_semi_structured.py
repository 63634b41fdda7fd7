"""2:4 as a cost, and the check of the machine; its timing needs a GPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amc.costs import Limits
from amc.granularity import Granularity
from amc.policy import Budget
from amc.pruning.masks import masking_graph
from amc.tracing.build import survey
from experiments.latency import semi_structured
from experiments.latency.semi_structured import (
    SemiStructured,
    dense_and_sparse,
    obstacle,
    suits,
    time_layers,
)

MODEL = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU())
MODEL.extend([nn.Linear(32, 8)])
GRAPH = masking_graph(survey(MODEL, torch.zeros(1, 64)), Granularity.parse("2:4"))
TIMES = {"0": (3.0, 1.0), "2": (2.0, 2.5)}


def test_layers_that_have_a_kernel() -> None:
    assert [suits(module) for module in MODEL] == [True, False, True, False, False]
    assert not suits(nn.Conv2d(64, 64, 1))


def test_the_cost_by_hand() -> None:
    cost = SemiStructured(GRAPH, TIMES)
    assert cost((4, 4, 4)) == 5
    assert cost((2, 4, 4)) == 3
    assert cost.per_layer((4, 2, 2)).tolist() == [3, 2, 0]  # the dense kernel stays in use


def test_a_budget_of_it_can_hold() -> None:
    rounding = Granularity.parse("2:4").rounding()
    costs = {"latency": lambda graph: SemiStructured(graph, TIMES)}
    limits = Limits.of(GRAPH, [Budget("latency", 0.7)], costs, rounding)
    assert limits.fits((2, 4, 4))
    assert not limits.fits((4, 2, 2))


@pytest.mark.parametrize(
    ("capability", "told"), [(None, "no NVIDIA GPU"), ((7, 5), "7.5, below 8.0"), ((9, 0), "")]
)
def test_the_check_of_the_machine(
    capability: tuple[int, int] | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert told in obstacle()
    assert bool(obstacle()) == bool(told)


def on_a_gpu(monkeypatch: pytest.MonkeyPatch, times: tuple[float, float]) -> list[int]:
    """Pretend that there is one, on which every product takes as long; the rows of each."""
    rows: list[int] = []

    def timed_as(weight: torch.Tensor, count: int) -> tuple[float, float]:
        rows.append(count)
        return times

    monkeypatch.setattr(semi_structured, "obstacle", lambda: "")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GPU of a test")
    monkeypatch.setattr(semi_structured, "dense_and_sparse", timed_as)
    return rows


def test_layers_are_timed_at_the_rows_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = on_a_gpu(monkeypatch, (2.0, 1.0))
    assert time_layers(MODEL, GRAPH, batch=7) == {"0": (2.0, 1.0), "2": (2.0, 1.0)}
    assert rows == [7, 7]


def test_where_no_layer_gains_it_is_said_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_gpu(monkeypatch, (2e-5, 5e-4))
    told = "'0', the nearest to it, takes 500 µs at 2:4 and 20 µs without"
    with pytest.raises(ValueError, match=f"GPU of a test no layer .* at batch 7 .*{told}"):
        time_layers(MODEL, GRAPH, batch=7)


@pytest.mark.skipif(bool(obstacle()), reason="needs a GPU on which 2:4 is faster")
def test_on_a_gpu_both_products_are_timed() -> None:
    dense, sparse = dense_and_sparse(torch.randn(256, 128), 64)
    assert 0 < dense < 0.1
    assert 0 < sparse < 0.1


@pytest.mark.skipif(not obstacle(), reason="here 2:4 is really faster")
def test_elsewhere_timing_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="zeros of a mask are computed like other weights"):
        time_layers(MODEL, GRAPH)
