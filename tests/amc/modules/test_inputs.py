"""What networks take and return, in all the shapes that people write."""

from dataclasses import dataclass
from typing import Any

import torch
from tiny_networks import Wired
from torch import Tensor

from amc.modules.inputs import call, shapes, tensors, with_samples


@dataclass
class Output:
    logits: Tensor
    hidden: tuple[Tensor, ...]
    note: str = "none"


def test_a_network_is_called_as_its_inputs_say() -> None:
    net = Wired(lambda net, *inputs: [len(inputs), *inputs])
    one, other = torch.ones(2), torch.zeros(3)
    assert call(net, one)[0] == 1
    assert call(net, (one, other))[0] == 2


def test_inputs_by_name_are_keywords() -> None:
    class Named(torch.nn.Module):
        def forward(self, *, left: Tensor, right: Any = None) -> Tensor:
            return left if right is None else left + right

    assert torch.equal(call(Named(), {"left": torch.ones(2)}), torch.ones(2))
    both = {"left": torch.ones(2), "right": torch.ones(2)}
    assert torch.equal(call(Named(), both), 2 * torch.ones(2))


def test_all_tensors_are_found_in_order() -> None:
    a, b, c, d = (torch.full((1,), float(n)) for n in range(4))
    nested = {"first": [a, (b, "text", None)], "second": Output(c, (d,)), "third": 5}
    assert [int(tensor) for tensor in tensors(nested)] == [0, 1, 2, 3]
    assert tensors(Output) == []


def test_shapes_are_written_side_by_side() -> None:
    assert shapes({"a": torch.ones(2, 3), "b": torch.ones(4)}) == "(2, 3), (4,)"


def test_there_are_as_many_samples_as_are_asked_for_and_what_has_none_stays() -> None:
    one, table, flag = torch.arange(6.0).reshape(2, 3), torch.zeros(5, 3), True
    assert torch.equal(with_samples(one, 5), torch.cat([one, one, one[:1]]))
    assert with_samples(one, 1).tolist() == [[0, 1, 2]]
    left, right, told = with_samples((one, table, flag), 4)
    assert (left.shape, right.shape, told) == ((4, 3), (5, 3), True)
    named = with_samples({"tokens": one, "mask": one, "scale": torch.tensor(2.0)}, 3)
    assert [named[name].shape for name in named] == [(3, 3), (3, 3), ()]
    ((first, second),) = with_samples(((one, one),), 4)
    assert first.shape == second.shape == (4, 3)
    (pictures,) = with_samples(([torch.ones(3, 4, 4)],), 3)
    assert len(pictures) == 3
