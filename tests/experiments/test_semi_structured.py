"""2:4 as a cost, and the check of the machine; its timing needs a GPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amc.costs import Limits
from amc.granularity import Granularity
from amc.graph import survey
from amc.masks import masking_graph
from amc.policy import Budget
from experiments.semi_structured import SemiStructured, obstacle, suits, timed

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


@pytest.mark.skipif(bool(obstacle()), reason="needs a GPU on which 2:4 is faster")
def test_every_layer_with_a_kernel_is_timed() -> None:
    assert set(timed(MODEL, GRAPH)) == {"0", "2"}


@pytest.mark.skipif(not obstacle(), reason="here 2:4 is really faster")
def test_elsewhere_timing_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="zeros of a mask are computed like other weights"):
        timed(MODEL, GRAPH)
