"""One export, and the program at all kept counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from exported import Exported
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from amc.tracing.build import trace
from experiments.latency.profiling.program import from_onnx, shapes, to_onnx
from experiments.latency.profiling.templates import (
    ProfileError,
    model_at,
    smaller_network,
    template,
)


def test_groups_of_the_network(small: Exported) -> None:
    """What the tests below count on: the sum's channels, and those of the last convolution."""
    assert small.graph.full == (12, 40)


@given(st.data())
@settings(max_examples=15)
def test_a_program_computes_what_the_cut_network_does(small: Exported, data: st.DataObject) -> None:
    kept = tuple(data.draw(st.integers(1, units)) for units in small.graph.full)
    network = smaller_network(small.model, small.graph, kept)
    model_at(small.template, network, kept, small.inputs)


def test_a_program_that_computes_something_else_is_refused(small: Exported) -> None:
    program = small.template.program
    ops = tuple(replace(op, kind="Identity") if op.kind == "Relu" else op for op in program.ops)
    linear = replace(small.template, program=replace(program, ops=ops))
    network = smaller_network(small.model, small.graph, (6, 20))
    with pytest.raises(ProfileError, match="computes something else than the cut network"):
        model_at(linear, network, (6, 20), small.inputs)


def test_shapes_by_hand(small: Exported) -> None:
    program = small.template.at((5, 7))
    assert program.weights["depthwise.weight"] == (5, 1, 3, 3)
    assert program.weights["wide.weight"] == (7, 5, 3, 3)
    assert program.weights["linear.weight"] == (5, 63)
    (op,) = [op for op in program.ops if "depthwise.weight" in op.inputs]
    assert op.attributes["group"] == 5


def test_shapes_between_operators_are_those_of_shape_inference(small: Exported) -> None:
    found = shapes(small.template.at((3, 11)))
    assert {name: small.template.shape(name, (3, 11)) for name in found} == found


def test_a_program_goes_through_onnx_and_back(small: Exported) -> None:
    program = small.template.program
    again = from_onnx(to_onnx(program), list(program.weights))
    assert (again.ops, again.inputs, again.weights) == (
        program.ops,
        program.inputs,
        program.weights,
    )


def test_zeros_and_equal_weights_stay_in_the_program() -> None:
    """Untrained norms fold to biases of zeros, which an export leaves out or merges."""
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 6, 1),
        nn.Flatten(),
        nn.Linear(24, 3),
    ).eval()
    nn.init.zeros_(model[2].bias)
    nn.init.zeros_(model[4].bias)
    images = torch.randn(1, 2, 4, 4)
    weights = template(model, trace(model, images), images).program.weights
    assert sorted(weights) == [f"{at}.{what}" for at in (0, 2, 4) for what in ("bias", "weight")]


def test_a_network_tied_to_its_widths_is_refused() -> None:
    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(2, 8, 1), nn.Conv2d(8, 3, 1)

        def forward(self, images: Tensor) -> Tensor:
            made = self.one(images)
            halves = made.reshape(len(made), 2, -1, *made.shape[2:]).transpose(1, 2)
            mixed: Tensor = self.two(halves.reshape(made.shape)).mean((2, 3))
            # As many operators as there are channels left.
            for _ in range(made.shape[1]):
                mixed = mixed.abs()
            return mixed

    model, images = Shuffled().eval(), torch.randn(1, 2, 4, 4)
    with pytest.raises(ProfileError, match="its exported form is tied to its widths"):
        template(model, trace(model, images), images)


def test_heads_are_resized_by_exports() -> None:
    """No rule tells which axis of a reshape the heads are; the exports of cut networks do."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = 4
            self.qkv, self.out = nn.Linear(12, 24), nn.Linear(8, 12)

        def forward(self, x: Tensor) -> Tensor:
            parts = self.qkv(x).reshape(*x.shape[:2], 3, self.heads, -1)
            q, k, v = parts.permute(2, 0, 3, 1, 4)
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
            out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
            return out

    model = nn.Sequential(Attention(), nn.Linear(12, 3)).eval()
    inputs = torch.randn(1, 5, 12)
    graph = trace(model, inputs)
    assert graph.full == (4, 12)
    found = template(model, graph, inputs)
    assert found.numbers, "reshapes have the heads in them"
    program = found.at((3, 7))
    assert sorted(program.weights.values()) == sorted([(12, 18), (18,), (6, 7), (7,), (7, 3), (3,)])
    known = shapes(program)
    assert [known[name] for name in program.outputs] == [(1, 5, 3)]
