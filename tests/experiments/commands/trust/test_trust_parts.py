"""The sample, the correlation and the words of `amc trust`, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from amc.history import Outcome
from amc.tasks import ACCURACY
from experiments.commands.trust.correlation import correlation, spearman
from experiments.commands.trust.sampling import sample_by_rank
from experiments.commands.trust.tried_policies import Journal
from experiments.report.trust import sentences
from experiments.runs.results import Correlation, Tried, Trust


def outcomes(*accuracies: float) -> list[Outcome]:
    return [
        Outcome(number, (number,), accuracy, {}, 0.0) for number, accuracy in enumerate(accuracies)
    ]


def test_the_sample_has_some_of_every_part_of_the_range_and_the_best() -> None:
    # A search that ends among good candidates: nine in ten lie in the upper tenth.
    many = outcomes(*np.linspace(0.5, 0.88, 10), *np.linspace(0.881, 0.9, 90))
    chosen = [outcome.score for outcome in sample_by_rank(many, 5, seed=0)]
    assert chosen == sorted(chosen)
    assert chosen[-1] == 0.9
    for low in (0.5, 0.6, 0.7, 0.8):
        assert any(low - 0.001 <= accuracy <= low + 0.101 for accuracy in chosen)


def test_places_that_nobody_can_take_go_to_the_fullest_part() -> None:
    gap = outcomes(0.1, *np.linspace(0.8, 0.9, 20))
    chosen = [outcome.score for outcome in sample_by_rank(gap, 6, seed=1)]
    assert len(set(chosen)) == 6
    assert chosen[0] == 0.1
    assert chosen[-1] == 0.9


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(2, 8), st.integers(0, 99))
def test_any_sample_is_of_different_policies_and_the_same_for_the_same_seed(
    tenths: list[int], count: int, seed: int
) -> None:
    found = outcomes(*(number / 10 for number in tenths))
    chosen = sample_by_rank(found, count, seed)
    assert len({outcome.kept for outcome in chosen}) == len(chosen) == min(count, len(found))
    assert max(one.score for one in chosen) == max(one.score for one in found)
    assert sample_by_rank(found, count, seed) == chosen


def test_a_policy_that_was_evaluated_twice_is_one() -> None:
    first, again = outcomes(0.5, 0.5)
    twice = [first, Outcome(1, first.kept, again.score, {}, 0.0), *outcomes(0.1, 0.2, 0.3)[1:]]
    assert len(sample_by_rank(twice, 9, seed=0)) == 3


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=12))
def test_spearman_is_scipys_with_ties(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    else:
        assert spearman(one, other) == 0


def test_the_interval_of_a_perfect_order_is_1_and_one_of_chance_holds_0() -> None:
    score = np.arange(12.0)
    perfect = correlation("refit", score, score**3, seed=0)
    assert (perfect.rho, perfect.low, perfect.high) == (pytest.approx(1),) * 3
    shuffled = correlation("refit", score, np.random.default_rng(3).permutation(12), seed=0)
    assert shuffled.low < 0 < shuffled.high


def test_the_interval_holds_the_true_correlation_as_often_as_it_says() -> None:
    # Of bivariate normals with Pearson's r, Spearman's is 6/pi arcsin(r/2).
    random, r = np.random.default_rng(0), 0.6
    true = 6 / np.pi * np.arcsin(r / 2)
    pairs = random.multivariate_normal((0, 0), ((1, r), (r, 1)), size=(60, 25))
    found = [correlation("", *pair.T, seed=number) for number, pair in enumerate(pairs)]
    held = sum(one.low <= true <= one.high for one in found)
    assert 51 <= held <= 60


def trust(low: float, *after: float, images: int = 1_000_000) -> Trust:
    tried = tuple(
        Tried(at, (at,), at / 10, {"refit": at / 10}, value) for at, value in enumerate(after)
    )
    terms = {"recipe": {"epochs": 1.0}, "train_samples": 50000, "judged_samples": images}
    return Trust(tried, (Correlation("refit", 0.7, low, 0.9),), "refit", terms, 1.0)


@pytest.mark.parametrize(
    ("low", "words"),
    [(0.5, "about the order"), (0.1, "leave open"), (-0.1, "cannot be told from chance")],
)
def test_the_verdict_goes_by_the_lower_end_of_the_interval(low: float, words: str) -> None:
    answer, *_ = sentences(trust(low, 0.7, 0.8, 0.9), ACCURACY)
    assert "is 0.70 (95% interval" in answer
    assert words in answer
    assert "3 policies with scores from 0.0000 to 0.2000" in answer


def test_it_says_what_believing_the_score_costs() -> None:
    assert "also the best" in sentences(trust(0.5, 0.7, 0.8, 0.9), ACCURACY)[1]
    lost = sentences(trust(0.5, 0.7, 0.9, 0.8), ACCURACY)[1]
    assert "number 2 of 3" in lost
    assert "0.1000 behind" in lost


def test_it_says_where_differences_may_be_noise() -> None:
    # Of 900 images at 0.9 the standard error is 0.01.
    assert (
        "± 0.0196, so some of their differences may be noise"
        in sentences(trust(0.5, 0.89, 0.90, 0.91, images=900), ACCURACY)[2]
    )
    assert "noise" not in sentences(trust(0.5, 0.85, 0.90, 0.95, images=900), ACCURACY)[2]


ENTRY = Tried(0, (3, 8), 0.5, {"refit": 0.5}, 0.9)


@pytest.mark.parametrize(
    "junk",
    [
        b"mine\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"[" * 99_999 + b"\n",
        b'{"terms": {"epochs": 1}, "number": 0}\n',
        b'{"terms": {"epochs": 1}, "number": 0, "kept": [3, 8], "searched": 0.5, '
        b'"scores": {"refit": "high"}, "finetuned": 0.9}\n',
        b'{"terms": {"epochs": 1}, "number": 0, "kept": [3, 8], "searched": 0.5, '
        b'"scores": {"refit": 0.5}, "finetuned": 9e300}\n',
    ],
)
def test_a_damaged_line_of_what_was_tried_is_counted_and_tells_nothing(junk, tmp_path) -> None:
    path = tmp_path / "trust.jsonl"
    Journal(path, {"epochs": 1}).add(ENTRY)
    Journal(path, {"epochs": 2}).add(ENTRY)
    with open(path, "ab") as file:
        file.write(junk)
    journal = Journal(path, {"epochs": 1})
    assert journal.recall() == {(3, 8): ENTRY}
    assert journal.damaged == 1
