"""Networks that return some of their outputs."""

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

import amc


@dataclass
class Output:
    logits: Tensor
    hidden: Tensor


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 8), nn.Linear(8, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Output:
        hidden = self.second(self.first(x).relu()).relu()
        return Output(self.last(hidden), hidden)


X = torch.randn(2, 4)


def test_what_nobody_reads_can_be_pruned() -> None:
    model = Model().eval()
    assert [group.name for group in amc.trace(model, X).groups] == ["first"]
    logits = amc.returning(model, "logits")
    graph = amc.trace(logits, X)
    assert [group.name for group in graph.groups] == ["first", "second"]
    policy = amc.uniform_policy(graph, amc.Budget("params", 0.6))
    small = amc.prune(logits, policy, X)
    assert small(X).shape == (2, 3)
    whole = amc.returning(small)
    assert type(whole) is Model
    assert torch.equal(whole(X).logits, small(X))
    assert whole(X).hidden.shape[1] == policy.kept[1]


def test_names_and_weights_stay_and_copies_work() -> None:
    model = Model()
    one, two = amc.returning(model, "logits"), amc.returning(model, "hidden", "logits")
    assert list(one.state_dict()) == list(model.state_dict())
    assert one.first is model.first
    assert torch.equal(copy.deepcopy(one)(X), model(X).logits)
    assert [tuple(made.shape) for made in two(X)] == [(2, 6), (2, 3)]
    assert isinstance(model(X), Output)
    assert torch.equal(amc.returning(two, "logits")(X), one(X))


def test_an_output_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="returns a Output without 'logit'; it has logits, hidden"):
        amc.returning(Model(), "logit")(X)
