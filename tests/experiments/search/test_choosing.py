"""`amc search --objective tuned`: the candidate that short fine-tunings put first."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from amc import Budget, Problem, Samples
from amc.rules import uniform
from amc.strategies import RandomSearch
from amc.tasks import Classification
from experiments.runs import RunResult
from experiments.search.choosing import LAST, halve, rounds
from experiments.search.finalists import APART, Contender, apart, finalists

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", "0.5")
FEW = ("--calibration-images", 200, "--search-images", 100, "--episodes", 16, "--no-measure")
TUNED = ("--objective", "tuned", "--finetune-epochs", 2)


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (2, [(2, 0.25)]),
        (3, [(3, 0.125), (2, 0.25)]),
        (4, [(4, 0.125), (2, 0.25)]),
        (5, [(5, 0.0625), (3, 0.125), (2, 0.25)]),
        (8, [(8, 0.0625), (4, 0.125), (2, 0.25)]),
    ],
)
def test_half_go_on_for_twice_as_long(count: int, wanted: list[tuple[int, float]]) -> None:
    assert rounds(count) == wanted


@given(st.integers(2, 64))
def test_rounds_end_with_two_and_no_round_costs_more_than_one_of_a_power_of_two(count: int) -> None:
    made = rounds(count)
    assert made[-1] == (2, LAST)
    assert all(size * part <= 2 * LAST for size, part in made)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=20))
def test_the_best_wins_where_every_look_is_right_and_of_equal_ones_the_first(
    worth: list[int],
) -> None:
    looks: list[tuple[int, float]] = []

    def look(one: int, part: float) -> float:
        looks.append((one, part))
        return worth[one]

    assert halve(range(len(worth)), look) == worth.index(max(worth))
    assert len(looks) == len(set(looks)) == sum(size for size, _ in rounds(len(worth)))


def problem(budget: str = "macs=0.5", granularity: str = "channel") -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 3)
    )
    holdout = Samples(torch.randn(40, 6), torch.arange(40) % 3)
    return Problem(
        model,
        holdout.inputs[:1],
        [Budget.parse(budget)],
        task=Classification(None, holdout),
        granularity=granularity,
    )


def few(asked: Problem, count: int) -> list[Contender]:
    found = RandomSearch(30).search(asked, 0)
    within = [one for one in found.outcomes if asked.limits.fits(one.kept)]
    return finalists(asked.with_history(), within, found.best.kept, count, 0)


def test_finalists_are_the_winner_others_that_differ_and_uniform_ratios() -> None:
    asked = problem()
    found = few(asked, 5)
    first, *others, last = [one.outcome for one in found]
    assert (found[0].name, found[-1].name) == ("the search's best", "uniform ratios")
    assert last.kept == uniform(asked.limits)
    assert len(others) == 3
    merits = [one.merit for one in (first, *others)]
    assert merits == sorted(merits, reverse=True)
    for at, one in enumerate(others):
        assert all(apart(asked.graph, one.kept, other.kept) for other in (first, last))
        assert all(apart(asked.graph, one.kept, other.kept) for other in others[:at])
    assert len({one.outcome.number for one in found}) == len(found)


def test_two_finalists_are_the_winner_and_uniform_ratios() -> None:
    assert [one.name for one in few(problem(), 2)] == ["the search's best", "uniform ratios"]


RANKED = "one ranking of all weights"


@pytest.mark.parametrize(
    ("granularity", "wanted"),
    [
        ("element", [RANKED]),
        ("channel+element", ["one ranking, a fifth of the channels gone", RANKED]),
    ],
)
def test_where_weights_are_masked_one_ranking_of_them_is_looked_at(
    granularity: str, wanted: list[str]
) -> None:
    asked = problem("params=0.5", granularity)
    found = few(asked, 4)
    names = [one.name for one in found]
    assert names[-len(wanted) - 1 :] == [*wanted, "uniform ratios"]
    assert len(found) == 4
    ranked = found[names.index(RANKED)].outcome.kept
    channels = 2 if granularity != "element" else 0
    assert ranked[:channels] == asked.graph.full[:channels]
    assert asked.limits.fits(ranked)
    # One threshold: what stays of every layer is larger than what goes of any.
    scores = [score.sort(descending=True).values for score in asked.ranking[channels:]]
    kept = ranked[channels:]
    least = min(float(own[count - 1]) for own, count in zip(scores, kept, strict=True))
    most = max(
        float(own[count]) for own, count in zip(scores, kept, strict=True) if count < len(own)
    )
    assert least >= most - 0.01


def test_candidates_beyond_the_budget_by_the_clock_are_left_out() -> None:
    asked = problem()
    slow: set[tuple[int, ...]] = set()

    def clock(kept: tuple[int, ...]) -> float:
        return (2.0 if kept in slow else 1.0) * asked.costs["macs"](kept)

    asked.measure["macs"] = clock
    before = few(asked, 4)
    slow |= {before[1].outcome.kept, uniform(asked.limits)}
    after = few(asked, 4)
    assert not slow & {one.outcome.kept for one in after}
    assert after[0].outcome.kept == before[0].outcome.kept
    # Uniform ratios are made again within what the clock allows.
    assert after[-1].name == "uniform ratios"
    assert clock(after[-1].outcome.kept) <= 0.5 * asked.costs["macs"](asked.graph.full)


@pytest.mark.parametrize(("change", "differs"), [(0, False), (1, False), (10, True)])
def test_candidates_differ_by_their_ratios(change: int, differs: bool) -> None:
    graph = problem().graph
    full = tuple(graph.full)
    other = (full[0] - change, *full[1:])
    assert apart(graph, full, other) is differs
    assert (change / full[0] / len(full) >= APART) is differs


@pytest.fixture(scope="module")
def picked(amc, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("choosing") / "run"
    words = (*NETWORK, "--weights", weights, *FEW, *TUNED, "--budget", "macs=0.3")
    return out, words, amc.good("search", *words, "--out", out)


def test_a_run_tells_its_finalists_and_what_choosing_cost(picked) -> None:
    out, _, told = picked
    result = RunResult.load(out / "result.json")
    choice = result.choice
    assert choice is not None
    assert len(choice.finalists) == 4
    assert len(choice.steps) == 2
    assert choice.steps[0] < choice.steps[1] < result.finetune_steps
    assert [len(one.looks) for one in choice.finalists].count(2) == 2
    taken = next(one for one in choice.finalists if one.name == choice.chosen)
    assert taken.kept == tuple(group.kept for group in result.groups)
    assert taken.looks[-1] == max(one.looks[-1] for one in choice.finalists if len(one.looks) == 2)
    assert result.seconds["choose"] > 0
    assert "Of 4 finalists of residual-gp" in told
    assert "Of 4 finalists of residual-gp" in (out / "report.html").read_text(encoding="utf-8")
    assert not (out / "checkpoints").exists()


def test_the_policy_that_is_left_gives_the_same_network(picked, amc, tmp_path) -> None:
    out, words, _ = picked
    amc.good(
        *("prune", *NETWORK, "--weights", words[words.index("--weights") + 1]),
        *("--calibration-images", 200, "--finetune-epochs", 2, "--no-measure"),
        *("--policy", out / "policy.json", "--out", tmp_path / "cut"),
    )
    again = RunResult.load(tmp_path / "cut" / "result.json")
    assert again.finetuned == RunResult.load(out / "result.json").finetuned


def test_where_a_rule_is_the_strategy_it_stands_against_uniform_ratios(
    amc, weights, tmp_path
) -> None:
    words = (*NETWORK, "--weights", weights, *FEW, *TUNED, "--budget", "macs=0.3")
    amc.good("search", *words, "--strategy", "deep", "--out", tmp_path / "deep")
    choice = RunResult.load(tmp_path / "deep" / "result.json").choice
    assert choice is not None
    assert [one.name for one in choice.finalists] == ["the search's best", "uniform ratios"]
    amc.good("search", *words, "--strategy", "uniform", "--out", tmp_path / "uniform")
    assert RunResult.load(tmp_path / "uniform" / "result.json").choice is None


def test_in_a_benchmark_what_tunes_on_its_way_goes_without(amc, weights, tmp_path) -> None:
    words = (*NETWORK, "--weights", weights, *FEW, *TUNED, "--budget", "macs=0.5")
    quick = ("--options.netadapt.steps", 1, "--options.netadapt.reduction", 0.3)
    amc.good(
        *("benchmark", *words, "--strategies", "netadapt,shallow", *quick),
        *("--out", tmp_path / "both"),
    )
    found = {
        name: json.loads((tmp_path / "both" / name / "result.json").read_text())["choice"]
        for name in ("netadapt", "shallow")
    }
    assert found["netadapt"] is None
    assert found["shallow"]["chosen"] in ("the search's best", "uniform ratios")
