"""Ratios near others: within bounds, few or all of them changed."""

import numpy as np

from amc.strategies import around


def test_they_lie_around_the_centre_and_change_few_groups_or_all() -> None:
    found = around(np.full(3, 0.2), np.random.default_rng(0), 400)
    assert found.shape == (400, 3)
    assert np.abs(np.median(found, axis=0) - 0.2).max() < 0.02
    assert ((found >= 0) & (found <= 1)).all()
    assert set((found != 0.2).sum(axis=1)) == {0, 1, 2, 3}


def test_each_has_a_centre_of_its_own() -> None:
    centres = np.repeat([[0.1, 0.1], [0.9, 0.9]], 200, axis=0)
    found = around(centres, np.random.default_rng(1), 400)
    assert (np.abs(np.median(found[:200], axis=0) - 0.1) < 0.03).all()
    assert (np.abs(np.median(found[200:], axis=0) - 0.9) < 0.03).all()
