"""Layers that make no difference on the example inputs: no cut of them is proved by these."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import amc
from experiments.zoo import build_model


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Attending(nn.Module):
    """Attention over places, of which there may be one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 12)
        self.q, self.k, self.v = (nn.Linear(12, 8) for _ in range(3))
        self.out = nn.Linear(8, 12)
        self.last = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        q, k, v = (
            part(x).unflatten(-1, (-1, 4)).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        mixed = (q @ k.transpose(-1, -2) / 2).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        made: Tensor = self.last(x)
        return made


def test_queries_and_keys_of_one_place_make_no_difference() -> None:
    model = Attending()
    several = amc.trace(model, numbers(2, 5, 6))
    assert [group.name for group in several.groups] == ["first", "q"]
    one = amc.trace(model, numbers(2, 1, 6))
    assert [group.name for group in one.groups] == ["first"]
    reasons = {fixed.name: fixed.reason for fixed in one.fixed}
    assert "k makes no difference to anything" in reasons["q"]
    assert "give example inputs on which it does" in reasons["v"], "they go together"
    both = amc.trace(model, amc.Calls(numbers(2, 1, 6), numbers(2, 5, 6)))
    assert [group.name for group in both.groups] == ["first", "q"]


class Gated(nn.Module):
    """A branch that counts where a number of the inputs is not zero."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.extra = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        made: Tensor = self.plain(x) + gate * self.extra(x)
        return made


def test_layers_behind_show_what_no_output_does() -> None:
    graph = amc.trace(Gated(), (numbers(2, 6), torch.zeros(2, 1)))
    assert [group.name for group in graph.groups] == ["plain.0", "extra.0"]


class Choosing(nn.Module):
    """What is returned has no gradient, but changes with what was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 5))

    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot(self.body(x).argmax(-1), 5).float()


def test_what_is_chosen_from_shows_mistakes_where_it_is_compared() -> None:
    graph = amc.trace(Choosing(), numbers(4, 6))
    assert [group.name for group in graph.groups] == ["body.0"]


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Any:
        with torch.no_grad():
            features = self.body(x)
        return self.head(features)


def test_what_runs_without_gradients_is_told_by_a_trial() -> None:
    assert amc.trace(Frozen(), numbers(4, 6)).full == (16,)
    model = Frozen().requires_grad_(False)
    assert amc.trace(model, numbers(4, 6)).full == (16,)
    assert not any(parameter.requires_grad for parameter in model.parameters())


class Shut(nn.Module):
    """The second layer acts on large inputs alone; the first, of the same kind, is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(8, 16)
        self.fc1, self.fc2 = nn.Linear(16, 16), nn.Linear(16, 16)
        self.out1, self.out2, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        gate = (x.abs().amax() > 100).float()
        x = self.stem(x)
        shut = self.fc2(x) * gate
        made: Tensor = self.head(x + self.out1(self.fc1(x).sign()) + self.out2(shut).mean())
        return made


def test_what_one_layer_shows_tells_nothing_of_another_of_its_kind() -> None:
    graph = amc.trace(Shut().eval(), numbers(2, 8))
    assert "fc1" in {name for group in graph.groups for name in group.layers}
    assert "fc2" not in {name for group in graph.groups for name in group.layers}
    (reason,) = (item.reason for item in graph.fixed if item.name == "fc2")
    assert "makes no difference" in reason


class WithoutGradients(nn.Module):
    """Leaves PyTorch for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        made = torch.from_numpy(self.one(x).numpy())
        last: Tensor = self.last(torch.relu(self.two(torch.relu(made))))
        return last


def test_code_that_runs_without_gradients_alone_is_traced_all_the_same() -> None:
    graph = amc.trace(WithoutGradients().eval(), numbers(2, 8))
    assert {group.name for group in graph.groups} >= {"two"}
    assert graph.branches == ()


def test_code_may_write_into_its_inputs() -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.last = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.last(torch.relu(self.one(torch.nn.functional.relu_(x))))
            return made

    assert len(amc.trace(Writes().eval(), numbers(2, 8)).groups) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_images_channels_last_are_traced_where_gradients_would_end_the_process(
    inside: bool,
) -> None:
    """Of a strided 1x1 convolution of few inputs oneDNN writes past its buffer."""
    torch.manual_seed(0)
    model = build_model("resnet8", 3, 10, 0.5).eval()
    images = torch.randn(2, 3, 32, 32)
    wanted = amc.trace(model, images)
    found = amc.trace(
        model.to(memory_format=torch.channels_last) if inside else model,
        images.contiguous(memory_format=torch.channels_last),
    )
    assert found.full == wanted.full
    assert found.branches == wanted.branches
