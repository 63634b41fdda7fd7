"""The 11 features: worked out by hand on a small network, and what always holds on random ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from random_networks import IMAGE, Case, Residual, cases, network
from torch import nn

from amc import trace
from amc.costs import Macs
from amc.pruning import decisions
from envs.features import NAMES, Features


def by_hand(granularity: str = "channel") -> Features:
    """Three layers that are decided and a head, on images of 2 x 8 x 6."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),  # 4 x 4 x 3: 12 * 9 * 2 * 4 = 864 MACs
        nn.ReLU(),
        nn.Conv2d(4, 6, 1),  # 6 x 4 x 3: 12 * 4 * 6 = 288
        nn.Flatten(),
        nn.Linear(72, 5),  # 360
        nn.ReLU(),
        nn.Linear(5, 3),  # 15, together 1527
    )
    return Features(decisions(model, torch.zeros(1, 2, 8, 6), granularity))


# Kept 2 of 4, then 3 of 6, then 4 of 5:
#   864 -> 432, 432, 432 · 288 -> 144, 72, 72 · 360 -> 360, 180, 144 · 15 -> 15, 15, 12
@pytest.mark.parametrize(
    ("decided", "wanted"),
    [
        (
            (),
            (0, 4 / 6, 2 / 72, 1, 1, 1, 1, 1, 0, (288 + 360) / 1527, 0),
        ),
        (
            (2,),
            (1 / 2, 1, 4 / 72, 4 / 8, 3 / 6, 1 / 2, 1 / 3, 288 / 864, 576 / 1527, 360 / 1527, 0.5),
        ),
        (
            (2, 3),
            (1, 5 / 6, 1, 1 / 8, 1 / 6, 1 / 2, 1 / 3, 360 / 864, 828 / 1527, 0, 0.5),
        ),
        (
            (2, 3, 4),
            (1, 0, 0, 0, 0, 0, 0, 0, 867 / 1527, 0, 0.2),
        ),
    ],
)
def test_all_features_by_hand(decided: tuple[int, ...], wanted: tuple[float, ...]) -> None:
    found = by_hand().observe(decided)
    assert found.dtype == np.float32
    assert dict(zip(NAMES, found.tolist(), strict=True)) == pytest.approx(
        dict(zip(NAMES, wanted, strict=True)), abs=1e-6
    )


def test_zeros_of_a_mask_are_operations_removed() -> None:
    features = by_hand("element")
    # A third of 72 weights at 12 positions each; 24 weights at 12; the rest as it was.
    seen = features.observe((48, 24))
    assert seen[8] == pytest.approx(12 * 24 / 1527)
    assert seen[9] == pytest.approx(15 / 1527)
    assert seen[10] == 0


def test_the_operations_of_a_group_are_those_of_all_its_layers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(1, 4, 3, padding=1)  # 64 * 9 * 4 = 2304
            self.block = Residual(4, 3)  # 64 * 9 * 4 * 3 = 6912, and 64 * 3 * 4 = 768
            self.head = nn.Linear(4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.block(self.stem(images)).mean((2, 3)))
            return logits

    features = Features(trace(Net(), torch.zeros(IMAGE)))
    column = NAMES.index("flops")
    # The sum couples the stem with the block's last layer.
    assert features.observe(())[column] == pytest.approx((2304 + 768) / 6912)
    assert features.observe((4,))[column] == 1


def test_depthwise_layers_are_read_by_one_group() -> None:
    graph = trace(network(4, [("separable", 6)]), torch.zeros(IMAGE))
    features, total = Features(graph), Macs(graph)(graph.full)
    # Stem 16 * 9 * 4 and depthwise 16 * 9 * 4 go together; the pointwise layer has 16 * 4 * 6.
    assert features.observe(())[9] == pytest.approx(384 / total)
    assert features.observe((2,))[8] == pytest.approx((288 + 288 + 192) / total)


def test_one_group_alone_has_a_first_and_a_last_position() -> None:
    features = Features(trace(network(4, []), torch.zeros(IMAGE)))
    assert features.observe(())[0] == 0
    assert features.observe((2,))[0] == 1


@settings(max_examples=25, deadline=None, derandomize=True)
@given(cases())
def test_features_always_add_up(case: Case) -> None:
    graph = case.problem.graph
    features, macs = Features(graph), case.problem.costs["macs"]
    total, before = macs(graph.full), 0.0
    whole = tuple(
        max(1, round(units * (1 - ratio)))
        for ratio, units in zip(case.actions, graph.full, strict=True)
    )
    rollout = features.rollout(whole)
    for step in range(len(whole) + 1):
        seen, rest = features.observe(whole[:step]), graph.full[step:]
        assert np.array_equal(seen, rollout[step])
        assert ((seen >= 0) & (seen <= 1)).all()
        # A group that is not decided has not been reduced, so the sum never falls.
        reduced = total - macs((*whole[:step], *rest))
        assert reduced >= before
        assert seen[8] == pytest.approx(reduced / total)
        # What is left to come shrinks with the layers before it, but is never more than is left.
        assert seen[8] + seen[9] <= 1 + 1e-6
        previous = 1 - whole[step - 1] / graph.full[step - 1] if step else 0
        assert seen[10] == pytest.approx(previous)
        before = reduced
    assert seen[9] == 0


@settings(max_examples=10, deadline=None, derandomize=True)
@given(cases())
def test_keeping_everything_reduces_nothing(case: Case) -> None:
    graph = case.problem.graph
    features = Features(graph)
    for step in range(len(graph.full) + 1):
        assert features.observe(graph.full[:step])[8] == 0
