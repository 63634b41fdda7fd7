"""Copies of modules are those of `copy.deepcopy`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from amc.modules.copying import alias, copied


class Own(nn.Module):
    """Keeps more than modules and parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.again = self.layer
        self.nothing = nn.Sequential()
        self.several, self.shared = [self.layer, {"at": self.layer}], {}
        self.also_shared = self.shared
        self.register_buffer("counts", torch.arange(3.0))
        self.me = [self]

    def forward(self, x: Tensor) -> Tensor:
        return self.again(x) * self.counts


class Loads(nn.Module):
    """Says itself how it is copied."""

    def __init__(self) -> None:
        super().__init__()
        self.copies = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.copies += 1


def attention() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


MODULES = {
    "own": (Own, (2, 3)),
    "lstm": (lambda: nn.LSTM(3, 4), (5, 2, 3)),
    "attention": (attention, (2, 4, 8)),
    "convolutions": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (2, 3, 6, 6)),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Linear(3, 4)), (2, 3)),
}


def outputs(model: nn.Module, given: Tensor) -> Tensor:
    made = model.eval()(given)
    return made if isinstance(made, Tensor) else made[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_copy_computes_the_same_and_has_nothing_in_common(name: str) -> None:
    make, shape = MODULES[name]
    model, given = make(), torch.randn(shape)
    model.register_forward_hook(lambda *_: None)
    new = copied(model, {})
    assert outputs(new, given).equal(outputs(model, given))
    expected = copy.deepcopy(model)
    assert vars(new).keys() == vars(expected).keys()
    assert [*dict(new.named_modules())] == [*dict(expected.named_modules())]
    assert [*new.state_dict()] == [*expected.state_dict()]
    before = {id(one) for one in (*model.parameters(), *model.buffers(), *model.modules())}
    assert before.isdisjoint(map(id, (*new.parameters(), *new.buffers(), *new.modules())))
    new.register_forward_hook(lambda *_: None)
    assert len(new._forward_hooks) == 2
    assert len(model._forward_hooks) == 1


def test_what_is_one_thing_stays_one_thing() -> None:
    new = copied(Own(), {})
    assert new.layer is new.again is new.several[0] is new.several[1]["at"]
    assert new.shared is new.also_shared
    assert new.me[0] is new
    assert isinstance(new.nothing, nn.Sequential)


def test_a_module_that_says_how_it_is_copied_is_asked() -> None:
    assert copied(nn.Sequential(Loads()), {})[0].copies == 1


def test_what_stands_in_the_place_of_a_part_is_not_copied() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    other = nn.Linear(2, 5)
    assert copied(model, {id(model[0]): other})[0] is other


def test_an_alias_has_the_same_numbers_and_gradients_of_its_own() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = alias(model, trained=True)
    other(torch.randn(4, 2)).sum().backward()
    assert other[0].weight.data_ptr() == model[0].weight.data_ptr()
    assert model[0].weight.grad is None
    assert other[0].weight.grad is not None
    assert int(model[1].num_batches_tracked) == 0
    assert not any(one.requires_grad for one in alias(model, trained=False).parameters())
