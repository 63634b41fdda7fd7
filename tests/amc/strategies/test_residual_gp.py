"""What refits miss, and the search that goes by it."""

import numpy as np
import pytest
from tiny_networks import images, samples
from torch import nn

from amc.granularity import Rounding
from amc.policy import Budget
from amc.problem import Problem
from amc.rules import uniform
from amc.strategies import Missed, ResidualGP, Surrogate
from amc.strategies.proposals import Proposals
from amc.tasks import Classification


def problem(granularity: str = "channel", budget: str = "macs=0.6") -> Problem:
    data = samples(80)
    task = Classification(None, data, calibration=data)
    wide = (nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), *wide, nn.AvgPool2d(8), nn.Flatten()
    )
    network.append(nn.Linear(16, 4))
    fine = Rounding() if granularity == "channel" else None
    limits = [Budget.parse(budget)]
    return Problem(network, images(), limits, task, rounding=fine, granularity=granularity)


def test_what_is_missed_grows_with_what_goes() -> None:
    asked = problem()
    missed, full = Missed(asked), np.array(asked.graph.full)
    assert missed.known
    assert missed.parts([full]).sum() == 0
    for at in range(len(full)):
        fewer = np.repeat(full[None], full[at] + 1, axis=0)
        fewer[:, at] = np.arange(full[at] + 1)
        parts = missed.parts(fewer)
        assert (np.diff(parts[:, at]) <= 1e-12).all()
        assert not np.delete(parts, at, axis=1).any()
        assert (np.diff(missed.foretold(fewer)) >= -1e-12).all()


def test_weights_that_are_masked_have_no_refit_to_go_by_and_are_searched_all_the_same() -> None:
    asked = problem("element", "params=0.6")
    assert not Missed(asked).known
    assert len(ResidualGP(episodes=8).search(asked, 0).outcomes) == 8


def test_a_descent_stays_within_the_budget_and_never_misses_more() -> None:
    asked = problem()
    missed, limits = Missed(asked), asked.limits
    proposals = Proposals(missed, np.random.default_rng(0))
    start, weights = uniform(limits), np.array([3.0, *np.ones(len(limits.graph.full) - 1)])
    end = proposals.descent(limits, start, weights, rounds=5)
    before, after = missed.parts([start, end]) @ weights
    assert limits.fits(end)
    assert after <= before


def test_a_surrogate_that_knows_what_is_missed_foretells_more_from_few() -> None:
    full, random = (40,) * 12, np.random.default_rng(0)

    class Told(Missed):
        def __init__(self) -> None:
            self.known = True
            self._curves = [np.linspace(1, 0, 41) ** power for power in np.linspace(0.5, 6, 12)]
            self._full = np.array(full)

    told = Told()
    seen, new = random.integers(4, 41, (15, 12)), random.integers(4, 41, (200, 12))
    wrong = []
    for missed in (None, told):
        model = Surrogate(full, (4,) * 12, missed)
        model.fit(seen.tolist(), told.foretold(seen).tolist())
        improves = model.expected_improvement(new.tolist())
        wrong.append(np.corrcoef(improves, told.foretold(new))[0, 1])
    assert wrong[1] > wrong[0]


@pytest.mark.parametrize("episodes", [1, 2, 6])
def test_it_makes_as_many_evaluations_as_it_may_and_its_best_is_within_the_budget(
    episodes: int,
) -> None:
    asked = problem()
    result = ResidualGP(episodes=episodes).search(asked, 1)
    assert len(result.outcomes) == episodes
    assert asked.limits.fits(result.best.kept)
    assert len({one.kept for one in result.outcomes}) == episodes
