"""How much worse a network may be than what was measured of it."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from scipy.stats import binom

from experiments.search.certainty import most_lost


def test_it_is_the_upper_end_with_a_few_samples_more_that_lose_all() -> None:
    losses, quantile = torch.tensor([1.0, 0.0, 0.0, -1.0, 1.0, 0.0]), NormalDist().inv_cdf(0.95)
    more = quantile**2 / 2
    mean = (1 + more) / (6 + more)
    deviation = math.sqrt(((3 + more) / (6 + more) - mean**2) / (6 + more))
    assert most_lost(losses, 1.0, 0.05) == pytest.approx(mean + quantile * deviation)


def test_a_few_samples_that_are_all_alike_prove_little_and_many_prove_much() -> None:
    assert most_lost(torch.zeros(10), 1.0, 0.05) > 0.15
    assert most_lost(torch.zeros(100_000), 1.0, 0.05) < 1e-4


def test_less_chance_of_error_leaves_more_that_may_be_lost() -> None:
    losses = torch.tensor([0.2, -0.1, 0.4, 0.0] * 20)
    bounds = [most_lost(losses, 1.0, chance) for chance in (0.2, 0.05, 0.001)]
    assert bounds == sorted(bounds)
    assert bounds[0] > float(losses.mean())


@pytest.mark.parametrize("samples", [200, 2000])
@pytest.mark.parametrize("chance", [0.05, 0.05 / 15])
def test_where_nothing_is_gained_it_is_wrong_no_more_often_than_by_the_chance(
    samples: int, chance: float
) -> None:
    """By the binomial distribution itself, over all true losses that may be."""
    bounds = []
    for lost in range(samples + 1):
        losses = torch.zeros(samples)
        losses[:lost] = 1
        bounds.append(most_lost(losses, 1.0, chance))
    for true in np.linspace(0.0005, 0.5, 100):
        wrong = np.searchsorted(bounds, true)  # so few lost, and the bound is below the truth
        assert binom.cdf(wrong - 1, samples, true) <= 1.15 * chance


@pytest.mark.parametrize(("worse", "better"), [(0.03, 0.01), (0.004, 0.001), (0.2, 0.1)])
@pytest.mark.parametrize("samples", [200, 2000])
def test_the_true_loss_is_above_it_no_more_often_than_by_the_chance(
    worse: float, better: float, samples: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(2000, samples, generator=generator)
    losses = (draws < worse).double() - (draws > 1 - better).double()
    wrong = [most_lost(row, 1.0, 0.05) < worse - better for row in losses]
    assert sum(wrong) / len(wrong) < 0.06
