"""`amc search --ray local`: candidates as tasks of a cluster, killed workers among them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from amc import Budget, Problem, Samples
from amc.evaluation import Measured
from amc.evaluator import Evaluator
from amc.graph import Kept
from amc.problem import SearchResult
from amc.side_by_side import LostWorkersError
from amc.strategies import ResidualGP
from amc.tasks import Classification
from amc.workers import InTurn
from experiments.cluster import RayWorkers, connect, ray_workers
from experiments.runs import RunResult

ray = pytest.importorskip("ray")

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
FEW = ("--calibration-images", 200, "--search-images", 100, "--no-measure", "--episodes", 10)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Of this machine, for all tests of the file."""
    from rich.console import Console

    try:
        connect("local", 2, Console(quiet=True))
    except ValueError as error:  # A machine may have no room or no ports for it.
        pytest.skip(f"no cluster can be begun here: {error}")
    yield
    ray.shutdown()


def problem() -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 3)
    )
    inputs = torch.randn(80, 6)
    samples = Samples(inputs, (inputs[:, :3] > 0).sum(1) % 3)
    task = Classification(None, samples, calibration=samples)
    return Problem(model, inputs[:1], [Budget.parse("macs=0.5")], task)


def told(result: SearchResult) -> list[tuple[Kept, float]]:
    return [(one.kept, one.score) for one in result.outcomes]


def searched(workers: object) -> list[tuple[Kept, float]]:
    return told(ResidualGP(10, batch=4).search(problem().with_workers(workers), 0))  # type: ignore[arg-type]


def test_tasks_measure_to_the_last_bit_what_one_process_does() -> None:
    assert searched(RayWorkers()) == searched(InTurn())


def test_a_process_that_is_killed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = str(tmp_path / "killed")

    def killed_once(shared: list[object], kept: Kept) -> Measured:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            evaluator: Evaluator = ray.get(shared[0])
            return evaluator.whole(kept)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(ray_workers, "_measure", killed_once)
    found = searched(RayWorkers())
    monkeypatch.undo()
    assert Path(mark).exists()
    assert found == searched(InTurn())


def test_tasks_that_hang_are_begun_anew_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hanging(shared: list[object], kept: Kept) -> Measured:
        time.sleep(300)
        raise AssertionError

    monkeypatch.setattr(ray_workers, "_measure", hanging)
    with pytest.raises(LostWorkersError, match="was finished within 2 s, twice; what is finished"):
        searched(RayWorkers(timeout=2))


def test_on_the_command_line(amc, weights, tmp_path) -> None:
    words = ("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4")
    amc.good(*words, "--ray", "local", "--workers", 2, "--out", tmp_path / "ray")
    assert RunResult.load(tmp_path / "ray" / "result.json").config["batch"] == 4
    amc.good(*words, "--batch", 4, "--out", tmp_path / "alone")
    policies = {(tmp_path / name / "policy.json").read_bytes() for name in ("ray", "alone")}
    assert len(policies) == 1


def test_a_cluster_that_is_not_there_is_told() -> None:
    from rich.console import Console

    ray.shutdown()
    try:
        with pytest.raises(ValueError, match="no cluster answers there"):
            connect("127.0.0.1:1", 1, Console(quiet=True))
    finally:
        connect("local", 2, Console(quiet=True))
