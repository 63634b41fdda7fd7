"""Networks timed on this machine while a search goes on, those without whole branches too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import amc
from experiments.latency.terms import OnDevice
from experiments.settings import NetworkSettings
from experiments.zoo import load_workload

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module", params=["vit-small", "resnet8"])
def timed(request: pytest.FixtureRequest) -> tuple[OnDevice, amc.PruningGraph]:
    network = NetworkSettings(request.param, "digits", 0.25, None, 0)
    workload = load_workload(network, trained=False, device="cpu")
    graph = amc.trace(workload.model, workload.example)
    device = SimpleNamespace(runtime="onnxruntime", threads=1, batch=1)
    table: Any = SimpleNamespace(device=device, fit=SimpleNamespace(noise=0.0))
    return OnDevice(workload, graph, table, 1.0), graph


def test_a_network_without_attentions_and_mlps_is_timed(
    timed: tuple[OnDevice, amc.PruningGraph],
) -> None:
    seconds, graph = timed
    assert 0 in graph.least, "branches may go"
    fraction = seconds(graph.least)
    assert fraction > 0
