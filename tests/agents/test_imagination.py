"""Walks that are imagined: where they start, and which is taken."""

from dataclasses import replace

import numpy as np
import pytest
from small_problems import small

from agents.imagination import Imagination
from amc import Outcome, Problem
from envs import PruningEnv


def taken(problem: Problem, *kept: tuple[int, ...]) -> list[Outcome]:
    """Outcomes whose accuracy falls with the first group's count."""
    return [replace(problem.evaluate(counts), accuracy=0.9 - counts[0] / 100) for counts in kept]


def imagination(problem: Problem, proposals: int = 32, by_actor: float = 0.5) -> Imagination:
    return Imagination(PruningEnv(problem, budget_mode="project"), proposals, 2, by_actor, seed=0)


def test_the_best_walks_come_first() -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    seen = taken(problem, (18, 10, 10), (6, 20, 12), (12, 14, 12), (8, 18, 12))
    assert imagination(problem).learn(seen) == [(6, 20, 12), (8, 18, 12)]


def test_the_walk_to_take_leads_where_none_has_been_and_within_the_budget() -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    seen = taken(problem, (18, 10, 10), (6, 20, 12), (12, 14, 12), (8, 18, 12))
    imagined = imagination(problem)
    imagined.learn(seen)
    walk = imagined.next_walk(np.full(3, 0.4))
    end = PruningEnv(problem, budget_mode="project").ends_of([walk])[0]
    assert end not in {outcome.kept for outcome in seen}
    assert problem.limits.fits(end)
    assert ((walk >= 0) & (walk <= 1)).all()


@pytest.mark.parametrize("by_actor", [0.0, 1.0])
def test_proposals_lie_around_the_actors_walk_or_around_the_best(by_actor: float) -> None:
    problem = small("macs=0.5", widths=(20, 24, 30))
    imagined = imagination(problem, 200, by_actor)
    varied = imagined._varied(np.full(3, 0.2), np.full((2, 3), 0.7))
    middle = 0.2 if by_actor else 0.7
    assert np.abs(np.median(varied, axis=0) - middle).max() < 0.02
    assert (varied[0] == 0.2).all() == bool(by_actor)


def test_where_every_walk_is_known_one_is_taken_all_the_same() -> None:
    problem = small("macs=0.5", widths=(2, 2, 2))
    full = PruningEnv(problem, budget_mode="project")
    ends = set(full.ends_of(np.random.default_rng(0).random((60, 3))))
    imagined = imagination(problem)
    imagined.learn(taken(problem, *ends))
    assert imagined.next_walk(np.full(3, 0.5)).shape == (3,)
