"""The command line, and small runs that it made."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.cli import main

ROOT = Path(__file__).parents[2]
NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
# An agent that thinks little.
DDPG = ("--strategy", "ddpg", "--episodes", 5, "--options.hidden", 32, "--options.updates", 4)


class Answer(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


class CommandLine:
    """`amc` in this process, or in one of its own."""

    def __call__(self, *words: object) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        path = list(sys.path)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.path[:] = path
        return Answer(code, out.getvalue(), err.getvalue())

    def good(self, *words: object) -> str:
        """What a command printed that must work."""
        answer = self(*words)
        assert answer.code == 0, answer.err
        return answer.out

    def elsewhere(self, *words: object, folder: Path, script: str = "") -> Answer:
        """In a new process, as a module or as the text of a script."""
        start = ["-c", script] if script else ["-m", "experiments.cli"]
        done = subprocess.run(
            [sys.executable, *start, *map(str, words)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


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
