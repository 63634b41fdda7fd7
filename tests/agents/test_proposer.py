"""Rollouts that are proposed: where they start, and which is taken."""

from dataclasses import replace

import numpy as np
import pytest
from small_problems import small

from agents.proposer import Proposer
from amc import Outcome, Problem
from envs import PruningEnv


def taken(problem: Problem, *kept: tuple[int, ...]) -> list[Outcome]:
    """Outcomes whose merit falls with the first group's count."""
    return [replace(problem.evaluate(counts), merit=0.9 - counts[0] / 100) for counts in kept]


def proposer(problem: Problem, proposals: int = 32) -> Proposer:
    return Proposer(PruningEnv(problem), proposals, seed=0)


def test_it_says_which_rollout_was_best() -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    seen = taken(problem, (18, 10, 10), (6, 20, 12), (12, 14, 12), (8, 18, 12))
    assert proposer(problem).fit(seen) == (6, 20, 12)


def test_the_rollout_to_take_leads_where_none_has_been_and_within_the_budget() -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    seen = taken(problem, (18, 10, 10), (6, 20, 12), (12, 14, 12), (8, 18, 12))
    proposed = proposer(problem)
    proposed.fit(seen)
    rollout = proposed.propose(np.full(3, 0.4))
    end = PruningEnv(problem).rollout_ends([rollout])[0]
    assert end not in {outcome.kept for outcome in seen}
    assert problem.limits.fits(end)
    assert ((rollout >= 0) & (rollout <= 1)).all()


@pytest.mark.parametrize("seed", range(5))
def test_what_earned_more_so_far_is_tried_more_of(seed: int) -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    env = PruningEnv(problem)
    proposed = Proposer(env, 200, seed)
    proposed.fit(taken(problem, *((count, 14, 12) for count in (6, 8, 12, 16, 20))))
    actors = np.array([0.3, 0.4, 0.6])
    end, own = env.rollout_ends([proposed.propose(actors), actors])
    assert end[0] < own[0], "the fewer of the first group the better"


def test_where_every_rollout_is_known_one_is_taken_all_the_same() -> None:
    problem = small("macs=0.5", widths=(2, 2, 2))
    full = PruningEnv(problem)
    ends = set(full.rollout_ends(np.random.default_rng(0).random((60, 3))))
    proposed = proposer(problem)
    proposed.fit(taken(problem, *ends))
    assert proposed.propose(np.full(3, 0.5)).shape == (3,)
