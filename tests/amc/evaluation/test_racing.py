"""Hopeless candidates are stopped early, and no winner is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from amc.evaluation.racing import RANDOM, TELLING, Difference, Race, tail
from amc.tasks.samples import Samples

SURE = 1e-300
"""An error rate at which the random samples stop nobody."""


def numbered(count: int) -> Samples:
    """Samples that are their own numbers."""
    return Samples(torch.arange(count), torch.zeros(count, dtype=torch.long))


class Candidate:
    """Known answers, and the samples that were asked for."""

    def __init__(self, margins: Tensor) -> None:
        self._margins = margins
        self.asked: list[int] = []

    def __call__(self, samples: Samples) -> Tensor:
        self.asked += samples.inputs.tolist()
        return self._margins[samples.inputs]


def drawn(seed: int, count: int, rate: float) -> Tensor:
    """Margins of which about this part is above 0."""
    generator = torch.Generator().manual_seed(seed)
    return rate - torch.rand(count, generator=generator)


def test_the_tail_is_that_of_fair_coins() -> None:
    for of in (0, 1, 7, 40):
        for least in range(of + 1):
            assert tail(least, of) == pytest.approx(stats.binom.sf(least - 1, of, 0.5), abs=1e-12)


@pytest.mark.parametrize("of", [1_074, 1_075, 2_000, 50_000])
def test_the_tail_of_many_coins_is_no_underflow(of: int) -> None:
    assert tail(of // 40, of) == pytest.approx(1.0)
    assert tail(of // 2, of) == pytest.approx(0.5, abs=0.03)
    assert 0 < tail(of // 2 + round(of**0.5), of) < 0.03


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.floats(0, 0.4999))
def test_who_is_right_as_often_as_the_best_is_never_hopeless(
    more: int, less: int, error: float
) -> None:
    better = Difference(against=min(more, less), infavour=max(more, less))
    assert not better.hopeless(error)


rates = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(st.integers(1, 120), rates, st.integers(0, 5))
def test_what_is_no_guess_never_changes_who_wins(
    count: int, accuracies: list[float], seed: int
) -> None:
    race, known = Race(numbered(count), SURE), []
    for number, rate in enumerate(accuracies):
        margins = drawn(10 * seed + number, count, rate)
        found = race.run(Candidate(margins), seed + number)
        true = float((margins > 0).double().mean())
        if found.seen is None:
            assert found.score == pytest.approx(true)
        else:
            assert true <= max(known)
            assert 0 < found.seen < count
            assert 0 <= found.score <= max(known)
        known.append(true)


def test_no_more_winners_are_stopped_than_the_error_rate_says() -> None:
    count, error, stopped = 500, 0.1, 0
    for seed in range(300):
        race = Race(numbered(count), error)
        race.run(Candidate(drawn(seed, count, 0.7)), 0)
        best = drawn(seed, count, 0.7) > 0
        # As many right as the best, and one more, on samples that have nothing to do with its.
        order = torch.randperm(count, generator=torch.Generator().manual_seed(1000 + seed))
        right = torch.zeros(count, dtype=torch.bool)
        right[order[: int(best.sum()) + 1]] = True
        stopped += race.run(Candidate(right.float() - 0.5), seed).seen is not None
    assert 0 < stopped / 300 <= error


def test_a_winner_is_stopped_no_more_often_whatever_came_before() -> None:
    """The first of two equal winners met other random samples, so that its luck is its own."""
    count, error, stopped = 500, 0.1, []
    best = drawn(0, count, 0.7)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    winner = torch.full((count,), -1.0)
    winner[order[: int((best > 0).sum()) + 1]] = 1.0
    for draw in range(1000):
        race = Race(numbered(count), error)
        race.run(Candidate(best), 0)
        if race.run(Candidate(winner), 2 * draw).seen is not None:
            stopped.append(race.run(Candidate(winner), 2 * draw + 1).seen is not None)
    assert len(stopped) > 20
    assert sum(stopped) / len(stopped) <= 2 * error


def test_what_the_best_recognised_least_clearly_comes_after_the_random_samples() -> None:
    count = 100
    clear = torch.randperm(count, generator=torch.Generator().manual_seed(1)).float() - 10
    race = Race(numbered(count), SURE)
    race.run(Candidate(clear.flip(0) - 20), 0)
    firsts = set()
    for draw, (margins, best) in enumerate(
        ((clear, clear.flip(0)), (-clear, clear), (clear + 9, clear))
    ):
        candidate = Candidate(margins)
        race.run(candidate, draw)
        cut = round(RANDOM * count)
        random, rest = candidate.asked[:cut], candidate.asked[cut:]
        assert rest == sorted(rest, key=lambda number: float(best[number]))
        if len(candidate.asked) == count:
            assert sorted(random + rest) == list(range(count))
        firsts.add(tuple(random))
    assert len(firsts) == 3


def test_a_loser_is_stopped_where_it_cannot_win_any_more() -> None:
    count = 1000
    clear = torch.arange(count).float() + 1
    race = Race(numbered(count), SURE)
    assert race.run(Candidate(clear), 0).score == 1
    loser = Candidate(clear - 50)  # wrong on the 50 that the best recognised least clearly
    found = race.run(loser, 0)
    assert found.seen == len(loser.asked) == round(TELLING[0] * count)
    # What is left is clearer than all that it failed on.
    assert found.score == pytest.approx(0.95)


def test_a_clear_loser_is_stopped_after_a_few_random_samples() -> None:
    race = Race(numbered(1000), 0.01)
    race.run(Candidate(drawn(0, 1000, 0.9)), 0)
    found = race.run(Candidate(drawn(1, 1000, 0.3)), 0)
    assert found.seen == round(RANDOM * 1000)
    assert found.score == pytest.approx(0.3, abs=0.15)


@pytest.mark.parametrize("draw", range(20))
def test_an_estimate_is_never_below_zero(draw: int) -> None:
    race = Race(numbered(200), 0.4)
    race.run(Candidate(drawn(0, 200, 0.1)), 0)
    assert race.run(Candidate(torch.full((200,), -1.0)), draw).score >= 0


def test_a_race_that_starts_again_forgets() -> None:
    race = Race(numbered(100), 0.01)
    race.run(Candidate(drawn(0, 100, 0.9)), 0)
    assert race.leading > 0.5
    race.restart()
    assert race.leading < 0
    assert race.run(Candidate(drawn(1, 100, 0.1)), 0).seen is None


def test_what_is_known_to_have_seen_all_is_never_stopped() -> None:
    """As when a search goes on, whose best may look hopeless next to another."""
    race = Race(numbered(1000), 0.01)
    race.run(Candidate(torch.ones(1000)), 0)
    assert race.run(Candidate(-torch.ones(1000)), 1, whole=True).seen is None
    assert race.run(Candidate(-torch.ones(1000)), 1).seen is not None


@given(st.integers(30, 200), rates, st.integers(0, 5))
def test_a_race_goes_on_from_its_best(count: int, accuracies: list[float], seed: int) -> None:
    """Nothing else that raced changes what comes; margins are coarse, so that many are equal."""
    race, fresh = Race(numbered(count), 0.05), Race(numbered(count), 0.05)
    all_margins = [(8 * drawn(seed + i, count, rate)).round() for i, rate in enumerate(accuracies)]
    runs = [(race.run(Candidate(margins), at), margins) for at, margins in enumerate(all_margins)]
    whole = [margins for found, margins in runs if found.seen is None]
    best = max(whole, key=lambda margins: int((margins > 0).sum()))
    fresh.run(Candidate(best), 7, whole=True)
    assert race.leading == fresh.leading
    last, again = (Candidate(drawn(99, count, 0.5)) for _ in range(2))
    assert race.run(last, seed) == fresh.run(again, seed)
    assert last.asked == again.asked
