"""Channels by the scale of their batch norms."""

import pytest
import torch
from tiny_networks import images, tiny
from torch import nn

from amc.criteria import scores
from amc.tracing.build import trace


def test_a_channel_scores_the_mean_size_of_its_gammas() -> None:
    model = tiny("residual")
    graph = trace(model, images())
    gammas = {1: [1, -2, 3, 4, 5, 6], 2: [-5, 4, 3, 2, 1], 3: [0, 0, -9, 2, 1, 1]}
    for number, values in gammas.items():
        getattr(model, f"norm{number}").weight.data = torch.tensor(values, dtype=torch.float32)
    stream, inner = scores("bn-scale", model, graph)
    assert stream.tolist() == [0.5, 1, 6, 3, 3, 3.5]
    assert inner.tolist() == [5, 4, 3, 2, 1]


def test_weights_do_not_count() -> None:
    model = tiny("residual")
    graph = trace(model, images())
    before = scores("bn-scale", model, graph)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.normal_()
    for one, other in zip(before, scores("bn-scale", model, graph), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("network", "groups"), [("flattened", "0, 2, 6"), ("unusual", "0, 9")])
def test_groups_without_a_scale_are_named(network: str, groups: str) -> None:
    model = tiny(network)
    with pytest.raises(ValueError, match=f"no batch norm with a scale follows {groups}; leave"):
        scores("bn-scale", model, trace(model, images()))
