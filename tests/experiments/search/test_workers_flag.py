"""`amc search --workers 2`: candidates side by side, and the same result as with one worker."""

from __future__ import annotations

import pytest

from experiments.runs import RunResult

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
FEW = ("--calibration-images", 200, "--search-images", 100, "--no-measure", "--episodes", 14)


def searched(amc, weights, out, *words):
    told = amc.good(
        "search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4", *words, "--out", out
    )
    return told, RunResult.load(out / "result.json")


def test_the_result_hangs_on_the_batch_and_not_on_the_workers(amc, weights, tmp_path) -> None:
    _, two = searched(amc, weights, tmp_path / "two", "--workers", 2)
    _, one = searched(amc, weights, tmp_path / "one", "--batch", 4)
    _, three = searched(amc, weights, tmp_path / "three", "--workers", 3, "--batch", 4)
    assert two.config["batch"] == 4
    for other in (one, three):
        assert [(e.kept, e.score) for e in other.evaluations] == [
            (e.kept, e.score) for e in two.evaluations
        ]
    policies = {(tmp_path / name / "policy.json").read_bytes() for name in ("one", "two", "three")}
    assert len(policies) == 1
    assert len(two.evaluations) <= 14


def test_a_run_goes_on_with_another_number_of_workers_but_not_another_batch(
    amc, weights, tmp_path
) -> None:
    searched(amc, weights, tmp_path / "run", "--workers", 2)
    told, _ = searched(amc, weights, tmp_path / "run", "--workers", 3, "--batch", 4)
    assert "is finished" in told
    answer = amc(
        *("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4"),
        *("--workers", 5, "--out", tmp_path / "run"),
    )
    assert "--batch was 4 and is 5" in answer.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--workers", 2, "--strategy", "knapsack"), "knapsack chooses one candidate after the"),
        (("--batch", 3, "--strategy", "ddpg"), "--batch 3: ddpg chooses one candidate after the"),
        (("--workers", 2, "--racing", 0.01), "leave one of the two out"),
        (("--workers", 0), "1 or more"),
    ],
)
def test_what_cannot_be_done_side_by_side_is_refused(amc, weights, tmp_path, words, wanted) -> None:
    answer = amc(
        *("search", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4", *words),
        *("--out", tmp_path / "run"),
    )
    assert answer.code == 2
    assert wanted in answer.err


def test_in_a_benchmark_each_strategy_does_what_it_can(amc, weights, tmp_path) -> None:
    amc.good(
        *("benchmark", *NETWORK, "--weights", weights, *FEW, "--budget", "macs=0.4"),
        *("--strategies", "residual-gp,knapsack,uniform", "--workers", 2),
        *("--out", tmp_path / "all"),
    )
    batches = {
        name: RunResult.load(tmp_path / "all" / name / "result.json").config["batch"]
        for name in ("residual-gp", "knapsack", "uniform")
    }
    assert batches == {"residual-gp": 4, "knapsack": None, "uniform": None}
