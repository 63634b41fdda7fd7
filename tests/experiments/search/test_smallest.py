"""`amc search --max-drop`: the cheapest network whose score holds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amc.history import Outcome
from experiments.runs import Proof, RunResult
from experiments.search.smallest import POINTS, halved, points

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
FEW = ("--calibration-images", 200, "--search-images", 100, "--episodes", 16, "--no-measure")


def outcome(number: int, cost: float, merit: float) -> Outcome:
    return Outcome(number, (number,), merit, {"macs": cost}, 0.0)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=60))
def test_the_points_are_those_that_nothing_cheaper_beats(found: Sequence[tuple[int, int]]) -> None:
    outcomes = [outcome(at, cost, merit / 50) for at, (cost, merit) in enumerate(found)]
    front = points(outcomes, "macs")
    assert 1 <= len(front) <= POINTS
    assert [one.costs["macs"] for one in front] == sorted({one.costs["macs"] for one in front})
    for one in front:
        cheaper = [other for other in outcomes if other.costs["macs"] <= one.costs["macs"]]
        assert one.merit == max(other.merit for other in cheaper)
    best = max(one.merit for one in outcomes)
    assert front[-1].merit == best  # so that the safest is among them


@pytest.mark.parametrize(
    ("count", "holding"), [(count, at) for count in (1, 2, 7, 15) for at in range(count + 1)]
)
def test_halving_finds_the_cheapest_that_holds_and_tunes_few(count: int, holding: int) -> None:
    front, tried = [outcome(at, at + 1, at / 20) for at in range(count)], list[int]()

    def holds(candidate: Outcome, number: int) -> Proof:
        tried.append(candidate.number)
        assert number == len(tried)
        held = candidate.number >= holding
        return Proof("--max-drop 0.1", 1.0, 0.9, 0.1, 0.05, 10, number, held)

    chosen, proof = halved(front, holds)
    assert chosen.number == min(holding, count - 1)
    assert proof.holds == (holding < count)
    assert proof.tried == len(tried) == len(set(tried)) <= 4


@pytest.fixture(scope="module")
def shrunk(amc, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("smallest") / "run"
    words = (*NETWORK, "--weights", weights, *FEW, "--max-drop", 0.3, "--finetune-epochs", 0.5)
    return out, words, amc.good("search", *words, "--out", out)


def test_a_run_says_what_holds_how_surely_and_leaves_what_a_search_leaves(shrunk) -> None:
    out, _, told = shrunk
    result = RunResult.load(out / "result.json")
    proof = result.proof
    assert proof is not None
    assert proof.holds
    assert proof.unpruned - proof.pruned <= proof.bound <= 0.3
    assert proof.samples == result.samples["holdout"] - 100
    assert result.costs["macs"].fraction < 0.9
    assert result.finetuned is not None
    assert result.finetune_steps > 0
    assert "is the cheapest found that keeps to --max-drop 0.3 by its accuracy" in told
    assert "with 95% certainty loses at most" in told
    assert "--max-drop 0.3" in (out / "report.html").read_text(encoding="utf-8")
    assert not (out / "checkpoints").exists()


def test_the_network_that_is_left_is_the_one_that_was_judged(shrunk, amc, tmp_path) -> None:
    out, words, _ = shrunk
    result = RunResult.load(out / "result.json")
    kept = tuple(group.kept for group in result.groups)
    chosen = next(one for one in result.evaluations if one.kept == kept)
    cut = amc.good(
        *("prune", *NETWORK, "--weights", words[words.index("--weights") + 1]),
        *("--calibration-images", 200, "--finetune-epochs", 0.5, "--no-measure"),
        *("--policy", out / "policy.json", "--out", tmp_path / "cut"),
    )
    again = RunResult.load(tmp_path / "cut" / "result.json")
    assert cut
    assert again.finetuned == result.finetuned
    assert chosen.costs["macs"] == result.costs["macs"].pruned


def test_a_goal_that_nothing_keeps_leaves_the_dearest_and_says_so(amc, weights, tmp_path) -> None:
    words = (*NETWORK, "--weights", weights, *FEW, "--floor", 0.9, "--max-ratio", 0.7)
    told = amc.good("search", *words, "--out", tmp_path / "run")
    assert "No network surely keeps to --floor 0.9" in told
    result = RunResult.load(tmp_path / "run" / "result.json")
    assert result.proof is not None
    assert not result.proof.holds
    costs = [one.costs["macs"] for one in result.evaluations]
    assert result.costs["macs"].pruned > sorted(costs)[len(costs) // 2]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--max-drop", 0), "held-out samples that the search has not seen can prove a drop above"),
        (("--floor", 0.9999), "can prove a score up to"),
        (("--floor", 92), "can prove a score up to"),
        (("--max-drop", 0.1, "--granularity", "element"), "does not change macs; name another"),
        (("--max-drop", 0.1, "--search-images", 0), "none is left to judge by"),
    ],
)
def test_a_goal_that_nobody_could_keep_to_is_refused_before_the_search(
    amc, weights, tmp_path, words, wanted
) -> None:
    answer = amc(
        *("search", *NETWORK, "--weights", weights, *FEW, *words, "--out", tmp_path / "run")
    )
    assert answer.code == 2
    assert wanted in answer.err


def test_budgets_of_other_costs_hold_beside_it(amc, weights, tmp_path) -> None:
    words = (*NETWORK, "--weights", weights, *FEW, "--max-drop", 0.5, "--cost", "macs")
    amc.good("search", *words, "--budget", "params=0.5", "--out", tmp_path / "run")
    result = RunResult.load(tmp_path / "run" / "result.json")
    assert result.costs["params"].fraction <= 0.5
    assert [str(one) for one in result.budgets] == ["params=0.5"]


def test_a_floor_holds_the_score_itself(amc, weights, tmp_path) -> None:
    words = (*NETWORK, "--weights", weights, *FEW, "--floor", "score=0.2", "--cost", "params")
    told = amc.good("search", *words, "--out", tmp_path / "run")
    proof = RunResult.load(tmp_path / "run" / "result.json").proof
    assert proof is not None
    assert proof.holds
    assert 0.2 <= proof.bound <= proof.pruned
    assert "has at least" in told


def test_the_same_command_finds_it_finished_and_another_goal_is_another_run(amc, shrunk) -> None:
    out, words, _ = shrunk
    assert "is finished" in amc.good("search", *words, "--out", out)
    answer = amc("search", *words[:-4], "--max-drop", 0.2, *words[-2:], "--out", out)
    assert "--max-drop was 0.3 and is 0.2" in answer.err
