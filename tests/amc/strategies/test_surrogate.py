"""The critic of whole rollouts: what it foretells, and how sure it is."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from amc.history import Outcome
from amc.strategies import Surrogate
from amc.strategies.surrogate import MOST

FULL = (32, 64, 16, 128)
FEWEST = (7, 13, 4, 26)


def rewards(kept: np.ndarray) -> np.ndarray:
    """Of rollouts: the first group matters most, the last not at all."""
    share = kept / np.array(FULL)
    return np.log(share[:, 0]) + 0.3 * np.log(share[:, 1]) * np.log(share[:, 2])


def rollouts(number: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.stack([random.integers(units // 5, units + 1, number) for units in FULL], axis=1)


def test_it_ranks_rollouts_that_it_has_not_seen() -> None:
    model, seen, new = Surrogate(FULL, FEWEST), rollouts(60, 0), rollouts(200, 1)
    model.fit(seen.tolist(), rewards(seen).tolist())
    promise = model.expected_improvement(new.tolist())
    best = rewards(new) > rewards(seen).max() - 0.3
    assert promise[best].mean() > 3 * promise[~best].mean()
    assert rewards(new)[np.argmax(promise)] > np.quantile(rewards(new), 0.97)


def test_what_it_expects_of_rollouts_that_were_taken_is_near_what_they_earned() -> None:
    model, seen = Surrogate(FULL, FEWEST), rollouts(60, 2)
    expected = model.fit(seen.tolist(), rewards(seen).tolist())
    assert spearmanr(expected, rewards(seen)).statistic > 0.95


def test_improvement_is_never_negative_and_least_where_it_has_been() -> None:
    model, seen = Surrogate(FULL, FEWEST), rollouts(30, 3)
    model.fit(seen.tolist(), rewards(seen).tolist())
    worst = seen[int(np.argmin(rewards(seen)))]
    assert (model.expected_improvement(rollouts(50, 4).tolist()) >= 0).all()
    assert model.expected_improvement([worst.tolist()])[0] < 1e-3


@pytest.mark.parametrize("earned", [[0.5, 0.5, 0.5], [0.1, 0.1, 0.9]])
def test_few_rollouts_and_equal_rewards_are_no_trouble(earned: list[float]) -> None:
    model = Surrogate(FULL, FEWEST)
    expected = model.fit(rollouts(3, 5).tolist(), earned)
    assert np.isfinite(expected).all()
    assert np.isfinite(model.expected_improvement(rollouts(4, 6).tolist())).all()


def test_a_batch_is_of_different_candidates_which_know_of_each_other() -> None:
    model, seen = Surrogate(FULL, FEWEST), rollouts(40, 6)
    model.fit(seen.tolist(), rewards(seen).tolist())
    new = [tuple(one) for one in rollouts(60, 7).tolist()]
    promise = model.expected_improvement(new).tolist()
    chosen = model.most_promising(new, 4)
    assert chosen[0] == new[int(np.argmax(promise))]
    assert len(chosen) == len(set(chosen)) == 4
    assert model.most_promising([], 3) == []
    # What it has learned stays as it was.
    assert model.expected_improvement(new).tolist() == promise


def test_what_is_like_one_that_is_believed_promises_little() -> None:
    model, seen = Surrogate(FULL, FEWEST), rollouts(40, 6)
    model.fit(seen.tolist(), rewards(seen).tolist())
    first = model.most_promising([tuple(one) for one in rollouts(60, 7).tolist()], 1)[0]
    twin = (*first[:-1], first[-1] - 1)
    before = model.expected_improvement([first, twin])
    expected = model._believe(first)
    assert model.expected_improvement([twin], expected)[0] < before[1] / 20


def test_of_many_it_learns_from_a_bounded_number_and_still_ranks() -> None:
    model, seen, new = Surrogate(FULL, FEWEST), rollouts(2000, 8), rollouts(200, 9)
    merits = 1 - np.exp(-2 - rewards(seen) + rewards(seen).min())
    outcomes = [
        Outcome(number, tuple(kept), merit, {}, 0.0)
        for number, (kept, merit) in enumerate(zip(seen.tolist(), merits.tolist(), strict=True))
    ]
    model.learn(outcomes)
    assert len(model._process.X_train_) <= MOST
    expected = model._process.predict(model._points(new.tolist()))
    assert spearmanr(expected, rewards(new)).statistic > 0.9
