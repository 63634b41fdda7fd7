"""How fast a network is in PyTorch, as every run says at its end."""

import copy
import time

import pytest
import torch
from torch import Tensor, nn

from amc.pruning.masks import held_masks, hold
from experiments.latency import pace


class Slow(nn.Module):
    """Takes so many seconds, and says in which mode."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.weight = seconds, nn.Parameter(torch.ones(1))
        self.modes: set[bool] = set()

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        self.modes.add(self.training)
        time.sleep(self.seconds)
        return inputs["x"] * self.weight


@pytest.mark.parametrize(("first", "second"), [(0.02, 0.0), (0.0, 0.02)])
def test_both_are_timed_in_evaluation_mode_and_left_as_they_were(
    first: float, second: float
) -> None:
    networks = Slow(first).train(), Slow(second).train()
    found = pace(*networks, ({"x": torch.ones(2, 3)},))
    low, median, high = found.times
    assert (low > 1) is (high > 1) is (found.unpruned > found.pruned) is (first > second)
    assert low <= median <= high
    assert networks[0].modes == {False}
    assert networks[0].training
    assert networks[1].training
    assert "2, 3" in found.where


def test_a_masked_network_is_timed_without_its_masks_and_keeps_them() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    masked = hold(copy.deepcopy(model), {"0": torch.zeros_like(model[0].weight)})
    assert pace(model, masked, torch.zeros(1, 3, 8, 8)).times[1] > 0
    assert set(held_masks(masked)) == {"0"}
