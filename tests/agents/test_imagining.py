"""DDPG that learns on imagined episodes: what a step earns, and that it finds what there is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from small_problems import known, small

from agents import ImaginedDDPGSearch
from agents.imagining import _Dreamer
from amc.graph import Kept
from envs import PruningEnv

QUICK: dict[str, Any] = {"imagined": 8, "rounds": 1, "updates": 2, "imitation": 4, "proposals": 8}


def test_a_step_earns_what_its_own_action_changes() -> None:
    problem = small("macs=0.9", widths=(6, 8, 7))
    dreamer = _Dreamer(ImaginedDDPGSearch(5, **QUICK), PruningEnv(problem), 0)
    prices = np.array([1.0, 10.0, 100.0])

    def worth(kept: Sequence[Kept]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(kept) @ prices

    centre = np.array([0.3, 0.3, 0.3])
    ends, gains, earned = dreamer._imagined(centre, 12, worth)
    (there,) = dreamer._env.rollout_ends(centre)
    assert gains.shape == (12, 3)
    assert gains.sum(1) == pytest.approx(earned - worth([there])[0])
    assert earned == pytest.approx(worth(ends))
    free = [at for at, kept in enumerate(ends) if problem.limits.fits((6, *kept[1:]))]
    for at in free:  # No budget binds, so that no action changes what later ones become.
        assert gains[at] == pytest.approx((np.array(ends[at]) - there) * prices)


def test_it_is_not_behind_what_it_begins_with_and_finds_more() -> None:
    asked = known()
    result = ImaginedDDPGSearch(40, imagined=16, updates=5).search(asked, 0)
    first = asked.outcomes[0].merit
    assert result.best.merit > first
    assert result.best.merit > 0.8
    assert asked.limits.fits(result.best.kept)


def test_the_same_seed_finds_the_same_and_leaves_the_generators_alone() -> None:
    found = []
    for _ in range(2):
        asked = small("macs=0.5")
        torch.manual_seed(5)
        before = torch.get_rng_state()
        result = ImaginedDDPGSearch(8, **QUICK).search(asked, 3)
        assert torch.equal(torch.get_rng_state(), before)
        found.append([one.kept for one in result.outcomes])
    assert found[0] == found[1]
    assert len(found[0]) == 8


def test_a_problem_without_a_budget_and_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="ddpg-imagined"):
        ImaginedDDPGSearch(3, **QUICK).search(small(), 0)
    for wrong in ({"imagined": 0}, {"optimism": -1.0}, {"actor_lr": 0.0}):
        with pytest.raises(ValueError, match=f"ddpg-imagined.*{next(iter(wrong))}"):
            ImaginedDDPGSearch(3, **wrong)  # type: ignore[arg-type]
