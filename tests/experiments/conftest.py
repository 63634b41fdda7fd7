"""The command line, and small runs that it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import CommandLine

from experiments.latency import in_torch

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
# An agent that thinks little.
DDPG = ("--strategy", "gp-rollout", "--episodes", 5, "--options.hidden", 32, "--options.updates", 4)


@pytest.fixture(scope="session", autouse=True)
def _hasty() -> Iterator[None]:
    """Runs say at their end how fast their networks are: no test goes by the figure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_torch, "SECONDS", 0.0)
        yield


@pytest.fixture(scope="session")
def amc() -> CommandLine:
    """The command line."""
    return CommandLine()


@pytest.fixture(scope="session")
def trained(amc: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network that `amc train` trained on digits for a moment."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    amc.good("train", *NETWORK, "--epochs", 3, "--out", out)
    return out


@pytest.fixture(scope="session")
def weights(trained: Path) -> Path:
    """The checkpoint of that network."""
    return trained / "model.safetensors"


Search = Callable[..., Path]


@pytest.fixture(scope="session")
def search(amc: CommandLine, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Runs `amc search` with the words given and returns the folder; the same words run once."""
    known: dict[tuple[str, ...], Path] = {}

    def searched(*words: object) -> Path:
        key = tuple(map(str, words))
        if key not in known:
            known[key] = tmp_path_factory.mktemp("search") / "run"
            few = ("--calibration-images", 200)
            amc.good("search", *NETWORK, "--weights", weights, *few, *words, "--out", known[key])
        return known[key]

    return searched


@pytest.fixture(scope="session")
def uniform_run(search: Search) -> Path:
    """The run folder of the uniform strategy."""
    return search("--strategy", "uniform")


@pytest.fixture(scope="session")
def ddpg_run(search: Search) -> Path:
    """The run folder of a short search."""
    return search(*DDPG)


@pytest.fixture(scope="session")
def tuned_run(search: Search) -> Path:
    """The run folder of the same search with fine-tuning after it."""
    return search(*DDPG, "--finetune-epochs", 0.5, "--finetune-lr", 0.02)
