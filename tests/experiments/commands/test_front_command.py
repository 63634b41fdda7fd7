"""`amc front`, and `amc prune` at any budget of what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amc.policy import Policy
from experiments.runs import RunResult

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
FEW = ("--calibration-images", 200)


@pytest.fixture(scope="module")
def front(amc, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("front") / "run"
    words = (*NETWORK, "--weights", weights, *FEW, "--episodes", 24, "--points", 3)
    words += ("--cost", "macs", "--lowest", 0.3, "--round-to", 1, "--out", out)
    return out, amc.good("front", *words)


def prune(amc, weights, run, out, *words):
    return amc("prune", *NETWORK, "--weights", weights, *FEW, "--policy", run, *words, "--out", out)


def test_it_tells_budgets_with_the_best_within_each_and_how_to_cut_any(front):
    out, told = front
    assert "macs=0.3" in told
    assert "macs=0.6" in told
    assert "macs=0.9" in told
    assert f"amc prune --policy {out} --budget macs=0.6" in told
    assert len(RunResult.load(out / "result.json").evaluations) == 24


@pytest.mark.parametrize("budget", [0.35, 0.5, 0.8])
def test_any_budget_between_them_is_cut_within_it(amc, weights, front, tmp_path, budget):
    out, _ = front
    answer = prune(amc, weights, out, tmp_path / "cut", "--budget", f"macs={budget}")
    assert answer.code == 0, answer.err
    made, found = (RunResult.load(one / "result.json") for one in (tmp_path / "cut", out))
    assert made.costs["macs"].fraction <= budget
    whole = found.costs["macs"].unpruned
    within = [one for one in found.evaluations if one.costs["macs"] <= budget * whole]
    best = max(within, key=lambda one: one.merit)
    policy = Policy.load(tmp_path / "cut" / "policy.json")
    assert policy.kept == best.kept
    assert policy.origin["budget"] == f"macs={budget}"
    assert made.searched.holdout == pytest.approx(best.score, abs=0.02)


def test_the_best_of_any_search_can_be_cut_at_another_budget(amc, weights, uniform_run, tmp_path):
    answer = prune(amc, weights, uniform_run, tmp_path / "cut", "--budget", "macs=0.9")
    assert answer.code == 0, answer.err
    assert Policy.load(tmp_path / "cut" / "policy.json").kept == (
        Policy.load(uniform_run / "policy.json").kept
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "macs=0.01"), "no candidate within macs=0.01; the cheapest have macs=0."),
        (("--budget", "latency=0.5"), "tells no latency; its candidates have macs, params"),
        ((), "is a folder; name a file"),
    ],
)
def test_what_cannot_be_cut_is_told(amc, weights, front, tmp_path, words, said):
    out, _ = front
    answer = prune(amc, weights, out, tmp_path / "cut", *words)
    assert answer.code == 2
    assert said in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lowest", 0.9), "--lowest is 0.9; it must be below --highest, which is 0.9"),
        (("--budget", "macs=0.5"), "--budget is one of macs, which is --cost"),
        (("--points", 1), "--points is 1; it must be 2 or more"),
    ],
)
def test_mistakes_are_told_in_one_sentence(amc, words, said):
    answer = amc("front", *NETWORK, *words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_cost_that_is_not_there_is_told_with_the_one_that_was_meant(amc, weights, tmp_path):
    answer = amc("front", *NETWORK, "--weights", weights, "--cost", "mac", "--out", tmp_path / "a")
    assert answer.code == 2
    assert "did you mean 'macs'" in answer.err


def test_the_same_command_goes_on(amc, weights, front, tmp_path: Path):
    """Cut short after ten evaluations, it ends with what it would have found."""
    out, _ = front
    there = tmp_path / "run"
    there.mkdir()
    lines = (out / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    header, entries = lines[0], lines[1:]
    (there / "journal.jsonl").write_text("".join([header, *entries[:10]]), encoding="utf-8")
    words = (*NETWORK, "--weights", weights, *FEW, "--episodes", 24, "--points", 3)
    words += ("--cost", "macs", "--lowest", 0.3, "--round-to", 1, "--out", there)
    amc.good("front", *words)
    again, whole = (
        json.loads((one / "result.json").read_text(encoding="utf-8"))["evaluations"]
        for one in (there, out)
    )
    assert [one["kept"] for one in again] == [one["kept"] for one in whole]
