"""Several example calls: what runs in any of them is followed, proved and cut; the first counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import amc
from amc.modules import call, samples_of, tensors
from amc.pruning import policy_of

PICTURES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class TwoHeads(nn.Module):
    """Classes by one argument, a vector for each picture by another."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU())
        self.classes = nn.Linear(12, 5)
        self.embed = nn.Sequential(nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 4))

    def forward(self, images: Tensor, embed: bool = False) -> Tensor:
        features = self.body(images).mean((2, 3))
        out: Tensor = self.embed(features) if embed else self.classes(features)
        return out


class Attending(TwoHeads):
    """The vectors by attention over places."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, images: Tensor, embed: bool = False) -> Tensor:
        places = self.body(images).flatten(2).transpose(1, 2)
        if embed:
            places = places + self.attention(places, places, places)[0]
        out: Tensor = (self.embed if embed else self.classes)(places.mean(1))
        return out


BOTH = amc.Calls((PICTURES,), {"images": PICTURES, "embed": True})


@pytest.mark.parametrize("kind", [TwoHeads, Attending])
def test_what_one_call_does_not_run_is_cut_by_another(kind: type[nn.Module]) -> None:
    model = kind().eval()
    alone = amc.trace(model, PICTURES)
    assert {one.name for one in alone.fixed} >= {"embed.0", "embed.2"}
    graph = amc.trace(model, BOTH)
    assert [group.name for group in graph.groups if group.name != "attention"] == [
        "body.0",
        "embed.0",
    ]
    policy = policy_of(graph, tuple(max(1, group.units // 2) for group in graph.groups))
    small = amc.prune(model, policy, BOTH)
    masked = amc.prune(model, policy, BOTH, masked=True)
    for one, other in zip(tensors(call(small, BOTH)), tensors(call(masked, BOTH)), strict=True):
        torch.testing.assert_close(one, other)
    cost = amc.COSTS["params"](graph)
    assert cost(graph.full) == sum(one.numel() for one in model.parameters())
    assert cost(policy_kept(policy)) == sum(one.numel() for one in small.parameters())


def policy_kept(policy: amc.Policy) -> tuple[int, ...]:
    return tuple(group.kept for group in policy.groups)


def test_macs_are_those_of_the_first_call() -> None:
    model = TwoHeads().eval()
    one, both = amc.trace(model, PICTURES), amc.trace(model, BOTH)
    macs = amc.COSTS["macs"]
    assert macs(one)(one.full) == macs(both)(both.full)


def test_a_number_of_places_may_differ_from_call_to_call() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 4, 1)
    )
    graph = amc.trace(model, amc.Calls(PICTURES, PICTURES[:1, :, :5, :6]))
    assert graph.full == (6,)
    assert samples_of(amc.Calls(PICTURES, PICTURES[:1])) == 2


def test_a_second_call_that_fails_says_so() -> None:
    with pytest.raises(amc.GraphError, match="fails on example inputs of shape"):
        amc.trace(TwoHeads().eval(), amc.Calls(PICTURES, PICTURES[:, :1]))


def test_calls_in_calls_are_refused() -> None:
    nested: Any = amc.Calls(PICTURES)
    with pytest.raises(TypeError, match="unpack them"):
        amc.Calls(nested)
