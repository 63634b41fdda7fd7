"""A budget of latency without a table: it is measured here, kept, and taken again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command_line import CommandLine
from torch import nn

import amc
from amc.costs.latency import LatencyTable
from experiments.latency import clock

OWN = ("--model", "striped_images:network", "--dataset", "striped_images:images")
FEW = ("--calibration-images", "60", "--search-images", "30", "--strategy", "uniform")
ASKED = ("search", *OWN, *FEW, "--budget", "latency=1", "--profile-minutes", "0.001")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's, with a clock that is quick and not to be trusted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(clock, "PASS_SECONDS", 0.0)
    monkeypatch.setattr(clock, "ROUNDS", 1)
    monkeypatch.setattr(clock, "LONGEST_BURST", 1)
    return tmp_path / "cache" / "amc" / "latency"


def test_it_is_measured_once_and_the_same_command_goes_on(
    amc: CommandLine, tmp_path: Path, cache: Path
) -> None:
    out = ("--out", tmp_path / "run")
    first = amc.good(*ASKED, *out)
    (path,) = cache.glob("*.json")
    assert "no --latency table is given" in first
    assert str(path) in first
    assert LatencyTable.load(path).device.threads == 1
    assert str(path) in (tmp_path / "run" / "config.yaml").read_text("utf-8")
    assert "nothing is left to do" in amc.good(*ASKED, *out)
    second = amc.good(*ASKED, "--seed", 1, "--out", tmp_path / "other")
    assert f"latency by {path}, measured before" in second
    assert list(cache.glob("*.json")) == [path]


def test_a_benchmark_measures_once_for_all_its_strategies(
    amc: CommandLine, tmp_path: Path, cache: Path
) -> None:
    words = ("benchmark", *OWN, *FEW[:4], "--strategies", "uniform,random", "--episodes", 2)
    more = ("--budget", "latency=1", "--profile-minutes", "0.001", "--out", tmp_path / "b")
    told = amc.good(*words, *more, "--no-measure")
    assert told.count("no --latency table is given") == 1
    assert len(list(cache.glob("*.json"))) == 1
    assert '"pace": null' in (tmp_path / "b" / "random" / "result.json").read_text("utf-8")


def test_masked_weights_have_no_counts_of_channels(amc: CommandLine, tmp_path: Path) -> None:
    words = ("--granularity", "element", "--round-to", "hardware", "--out", tmp_path / "run")
    answer = amc("search", *OWN, *FEW, *words)
    assert answer.code == 2
    assert "--granularity element masks weights; leave one of them out" in answer.err


def test_where_no_time_is_asked_for_nothing_is_measured(
    amc: CommandLine, tmp_path: Path, cache: Path
) -> None:
    amc.good("search", *OWN, *FEW, "--budget", "macs=0.6", "--out", tmp_path / "run")
    assert not cache.exists()


def test_in_python_it_is_measured_as_well(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten()),
        nn.Linear(16 * 16, 2),
    ).eval()
    data = amc.Samples(torch.randn(40, 1, 8, 8), torch.arange(40) % 2)
    given = {"budget": "latency=1", "strategy": "uniform", "round_to": 8}
    found = amc.search(net, torch.zeros(1, 1, 8, 8), amc.Classification(data, data), **given)
    assert 0 < found.costs["latency"] <= found.unpruned_costs["latency"]
    assert "no --latency table is given" in capsys.readouterr().err
    amc.search(net, torch.zeros(1, 1, 8, 8), amc.Classification(data, data), **given)
    assert "measured before" in capsys.readouterr().err
    assert len(list(cache.glob("*.json"))) == 1
    with pytest.raises(ValueError, match="runtime is 'tensorrt'; known: onnxruntime"):
        amc.search(net, torch.zeros(1, 1, 8, 8), data, runtime="tensorrt", **given)
