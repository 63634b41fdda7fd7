"""How wide the agent explores, and that what it draws is a truncated normal."""

from itertools import pairwise

import pytest
import torch
from scipy import stats

from agents.exploration import Exploration, truncated_normal


def test_the_width_is_constant_in_the_warm_up_and_then_falls_to_the_last_episode() -> None:
    plan = Exploration(episodes=20, warmup=5, sigma=0.5, final_sigma=0.02)
    widths = [plan.width(episode) for episode in range(20)]
    assert widths[:6] == [0.5] * 6
    assert widths[19] == pytest.approx(0.02)
    factors = [after / before for before, after in pairwise(widths[5:])]
    assert factors == pytest.approx([(0.02 / 0.5) ** (1 / 14)] * 14)


def test_the_decay_follows_the_length_of_the_search() -> None:
    half_way = [
        Exploration(episodes, episodes // 4, 0.4, 0.01).width(episodes * 5 // 8)
        for episodes in (40, 400, 4000)
    ]
    assert half_way == pytest.approx([0.4 * (0.01 / 0.4) ** 0.5] * 3, rel=0.07)


@pytest.mark.parametrize(("episodes", "warmup"), [(1, 0), (1, 1), (7, 7)])
def test_searches_without_room_to_decay_still_have_a_width(episodes: int, warmup: int) -> None:
    assert Exploration(episodes, warmup, 0.3, 0.1).width(episodes - 1) == 0.3


def test_equal_widths_never_change() -> None:
    plan = Exploration(10, 2, 0.1, 0.1)
    assert {plan.width(episode) for episode in range(10)} == {0.1}


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((10, 11, 0.5, 0.1), "11 warm-up episodes do not fit into 10"),
        ((10, -1, 0.5, 0.1), "-1 warm-up episodes do not fit into 10"),
        ((10, 2, 0.1, 0.5), "from 0.1 to 0.5"),
        ((10, 2, 0.5, 0.0), "from 0.5 to 0.0"),
    ],
)
def test_numbers_out_of_range_are_refused(
    numbers: tuple[int, int, float, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Exploration(*numbers)


@pytest.mark.parametrize(
    ("mean", "sigma"), [(0.5, 0.5), (0.0, 0.5), (1.0, 0.1), (0.45, 0.1), (0.03, 0.05), (0.7, 2.0)]
)
def test_samples_follow_a_truncated_normal(mean: float, sigma: float) -> None:
    torch.manual_seed(0)
    drawn = truncated_normal(torch.full((3000, 1), mean), sigma)
    assert drawn.shape == (3000, 1)
    wanted = stats.truncnorm((0 - mean) / sigma, (1 - mean) / sigma, mean, sigma)
    assert stats.kstest(drawn.flatten().numpy(), wanted.cdf).pvalue > 0.01
    # Noise that is clipped would sit on the bounds.
    assert ((drawn > 0) & (drawn < 1)).all()


def test_each_sample_has_its_own_mean() -> None:
    torch.manual_seed(0)
    means = torch.tensor([[0.1, 0.5], [0.9, 0.3]])
    assert (truncated_normal(means, 1e-4) - means).abs().max() < 1e-3
