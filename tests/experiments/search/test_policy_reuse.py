"""A policy file on other weights of its architecture, and on other architectures."""

import pytest
import torch
from safetensors.torch import load_file

from amc.policy import Policy
from experiments.runs.results import RunResult

DIGITS = ("--dataset", "digits")
FEW = ("--calibration-images", 100)


@pytest.fixture(scope="session")
def untrained(amc, tmp_path_factory):
    """The checkpoint of a network that was never trained, by its name, width and seed."""

    def made(name, width, seed=0):
        out = tmp_path_factory.mktemp("untrained")
        words = ("--model", name, "--width", width, "--seed", seed, "--epochs", 0)
        amc.good("train", *DIGITS, *words, "--out", out)
        return out / "model.safetensors"

    return made


def test_other_weights_of_the_architecture_take_the_policy(amc, untrained, uniform_run, tmp_path):
    words = ("--model", "resnet8", "--width", 0.5, "--weights", untrained("resnet8", 0.5, 1))
    policy = uniform_run / "policy.json"
    amc.good("prune", *DIGITS, *words, *FEW, "--policy", policy, "--out", tmp_path / "run")
    assert Policy.load(tmp_path / "run" / "policy.json") == Policy.load(policy)
    before, after = (RunResult.load(run / "result.json") for run in (uniform_run, tmp_path / "run"))
    assert after.costs == before.costs
    first, second = (
        load_file(run / "model.safetensors") for run in (uniform_run, tmp_path / "run")
    )
    assert {name: tensor.shape for name, tensor in first.items()} == {
        name: tensor.shape for name, tensor in second.items()
    }
    assert not torch.equal(first["stem.0.weight"], second["stem.0.weight"])


@pytest.mark.parametrize(
    ("name", "width", "difference"),
    [
        (
            "resnet8",
            0.25,
            "as group 1 it has 'stem.0' of 8 units, where this network has 'stem.0' of 4",
        ),
        (
            *("resnet20", 0.5),
            "as group 3 it has 'stages.1.0.conv1' of 16 units, where this network has "
            "'stages.0.1.conv1' of 8",
        ),
    ],
)
def test_another_architecture_is_refused_by_the_first_difference(
    amc, untrained, uniform_run, tmp_path, name, width, difference
):
    words = ("--model", name, "--width", width, "--weights", untrained(name, width))
    answer = amc("prune", *DIGITS, *words, *FEW, "--policy", uniform_run / "policy.json")
    assert answer.code == 2
    assert f"the policy is for another network: {difference}" in answer.err
    assert answer.err.count("\n") == 1
