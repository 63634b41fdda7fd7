"""Commands with their networks on an NVIDIA GPU, where there is one; and what is said elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import CommandLine

from experiments.runs.results import RunResult
from experiments.zoo.networks import check_device

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.mark.parametrize(
    ("there", "asked", "told"),
    [(0, "cuda", "sees no NVIDIA GPU"), (2, "cuda:2", "sees cuda:0, cuda:1 only")],
)
def test_a_gpu_that_is_not_there_is_refused(
    there: int, asked: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(ValueError, match=told):
        check_device(asked)


@pytest.mark.parametrize("asked", ["mps", "meta", "gpu", "cuda:x", "cpu:1", ""])
def test_what_is_no_device_of_ours_is_refused(asked: str) -> None:
    with pytest.raises(ValueError, match="must be cpu, cuda"):
        check_device(asked)


@pytest.mark.parametrize("asked", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_one_that_is_there_is_taken(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device(asked)


SEARCHES = {
    "gp-rollout": ("--strategy", "gp-rollout", "--episodes", 25, "--racing", 0.05),
    "netadapt": ("--strategy", "netadapt", "--options.steps", 5),
    "element": ("--strategy", "uniform", "--granularity", "element"),
    "taylor": ("--strategy", "sensitivity", "--criterion", "taylor"),
    "stages": ("--strategy", "uniform", "--finetune-schedule", "linear", "--distill", 0.5),
    "patience": ("--strategy", "uniform", "--patience", 2),
}


@on_gpu
@pytest.mark.parametrize("words", SEARCHES.values(), ids=SEARCHES)
def test_a_search_on_a_gpu_ends_as_on_the_processor(
    words: tuple[object, ...], search: Callable[..., Path]
) -> None:
    budget = "params=0.6" if "element" in words else "macs=0.6"
    tune = ("--finetune-epochs", 0.5, "--device", "cuda")
    result = RunResult.load(search("--budget", budget, *words, *tune) / "result.json")
    assert result.machine["gpu"] == torch.cuda.get_device_name()
    assert result.finetuned is not None


@on_gpu
def test_a_network_is_trained_and_pruned_on_a_gpu(amc: CommandLine, tmp_path: Path) -> None:
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--device", "cuda")
    amc.good("train", *network, "--epochs", 1, "--out", tmp_path / "trained")
    weights = ("--weights", tmp_path / "trained" / "model.safetensors")
    budget = ("--strategy", "uniform", "--budget", "macs=0.5", "--calibration-images", 200)
    amc.good("search", *network, *weights, *budget, "--out", tmp_path / "searched")
    policy = ("--policy", tmp_path / "searched" / "policy.json", "--calibration-images", 200)
    amc.good("prune", *network, *weights, *policy, "--out", tmp_path / "pruned")
    amc.good("export", tmp_path / "pruned", "--measure", 0)
