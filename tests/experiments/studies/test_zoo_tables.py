"""Tables of the studies that need the zoo's packages, of made-up rows; a real network's memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.studies.apart import answer
from experiments.studies.architectures.networks import Network
from experiments.studies.latency.zoo import accuracy_table, misses
from experiments.studies.peak_memory import one_network
from experiments.studies.peak_memory.__main__ import summary, table


def profiled(median: float, spearman: float = 0.99) -> dict[str, object]:
    fit = {"networks": 2, "median": median, "p90": 2 * median, "spearman": spearman, "noise": 0.01}
    tested = [{"measured": 0.5, "unpruned": 1.0}, {"measured": 0.9, "unpruned": 1.0}]
    return {
        **{"name": "resnet50", "error": "", "fit": fit, "tested": tested, "programs": 70},
        **{"traced": 4.0, "planned": 6.0, "took": 50.0},
    }


def test_errors_stand_beside_what_a_profile_takes() -> None:
    row = accuracy_table([profiled(0.02)]).splitlines()[-1]
    assert "| 2.0% | 4.0% | 0.990 | 1.0% | 50.0% to 90.0% | 70 | 60 s |" in row


def test_bars_that_are_missed_are_named() -> None:
    failed = {"name": "gru", "error": "no recurrent layers"}
    assert misses([profiled(0.02)]) == []
    assert misses([profiled(0.06, 0.9), failed]) == [
        "gru: no recurrent layers",
        "resnet50: median 0.060, not 0.05",
        "resnet50: p90 0.120, not 0.1",
        "resnet50: spearman 0.900, not 0.97",
    ]
    assert "| no recurrent layers |" in accuracy_table([failed])


def measured(torch_: float, left: float) -> dict[str, object]:
    whole = {"macs": 1.0, "said": 1e6, "torch": 1.1e6, "onnxruntime": 1e6}
    small = {"macs": 0.5, "said": 0.5e6, "torch": torch_, "onnxruntime": left * 1e6}
    return {"name": "net", "error": "", "sizes": [whole, small]}


def test_memory_is_off_by_parts_and_its_saving_by_points() -> None:
    lines = [measured(0.55e6, 0.6)]
    assert "| net | 50% | 500 kB | 550 kB | +10.0% | 600 kB | +20.0% |" in table(lines)
    told = summary(lines)
    assert "torch takes what is counted to within 10.0% in the median" in told
    assert "onnxruntime takes what is counted to within 10.0% in the median and 18.0%" in told
    assert "is told to within 0.0 points in the median" in told
    assert "is told to within 10.0 points in the median" in told


def test_memory_of_a_network_by_both_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch's allocator gave out is no less than what is counted, and not much more."""
    net = nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5)),
    )
    monkeypatch.setattr(
        one_network, "NETWORKS", {"small": Network(lambda: (net, torch.randn(1, 3, 64, 64)))}
    )
    before = torch.get_num_threads()
    try:
        whole, small = one_network.sizes("small")
    finally:
        torch.set_num_threads(before)
    assert whole["macs"] == 1.0
    assert small["macs"] <= 0.5
    for own in (whole, small):
        assert 0.9 * own["said"] < own["torch"] < 2 * own["said"]
        assert own["onnxruntime"] > own["weights"]


def test_a_module_that_says_nothing_is_told() -> None:
    found = answer("experiments.studies.markdown", [], 60.0)
    assert found == {"error": "ended with 0: said nothing"}
    assert "No module named" in answer("experiments.studies.nowhere", [], 60.0)["error"]
