"""One export, and the program at all kept counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from exported import Exported
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnxruntime import InferenceSession
from torch import Tensor, nn

from amc.tracing.build import trace
from experiments.latency.profiling.exports import measure, with_weights
from experiments.latency.profiling.falls import PROBES, probes, solved
from experiments.latency.profiling.program import Op, Program, from_onnx, shapes, to_onnx
from experiments.latency.profiling.segments import segments
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
    assert found.falls.numbers, "reshapes have the heads in them"
    program = found.at((3, 7))
    assert sorted(program.weights.values()) == sorted([(12, 18), (18,), (6, 7), (7,), (7, 3), (3,)])
    known = shapes(program)
    assert [known[name] for name in program.outputs] == [(1, 5, 3)]


class Tagger(nn.Module):
    """Words to tags, through two recurrent layers."""

    def __init__(self, kind: type[nn.RNNBase], *, both: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.recurrent = kind(6, 8, 2, batch_first=True, bidirectional=both)
        self.tags = nn.Linear(16 if both else 8, 3)

    def forward(self, words: Tensor) -> Tensor:
        """(samples, length) to (samples, length, 3)."""
        tags: Tensor = self.tags(self.recurrent(self.words(words))[0])
        return tags


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_layers_are_calls_of_their_own(kind: type[nn.RNNBase], both: bool) -> None:
    torch.manual_seed(0)
    model, words = Tagger(kind, both=both).eval(), torch.randint(20, (1, 5))
    graph = trace(model, words)
    found = template(model, graph, words)
    called = [segment.layer for segment in segments(found)]
    assert called == ["words", "recurrent", "recurrent", "tags"]
    kept = tuple(units - 3 for units in graph.full)
    program = found.at(kept)
    assert {op.attributes["hidden_size"] for op in program.ops if op.kind == kind.__name__} == {
        kept[-1]
    }
    assert runs(program)


def runs(program: Program) -> bool:
    """Whether onnxruntime computes numbers with a program."""
    made = to_onnx(program).SerializeToString()
    (values,) = InferenceSession(made).run(None, {"words": np.ones((1, 5), np.int64)})
    return bool(np.isfinite(values).all())


def test_numbers_from_0_to_a_width_follow_it() -> None:
    """As the export of a mean over places has them where a norm comes behind it."""

    def exported(kept: Sequence[int]) -> Program:
        ops = (
            Op("Conv", ("images", "weight"), ("made",), {"kernel_shape": [1, 1]}),
            Op("Gather", ("made", "places"), ("chosen",), {"axis": 1}),
        )
        values = {"weight": np.ones((kept[0], 2, 1, 1), np.float32), "places": np.arange(kept[0])}
        return Program(ops, {"images": (1, 2, 4, 4)}, ("chosen",), {}, values)

    graph = trace(
        nn.Sequential(nn.Conv2d(2, 9, 1), nn.Conv2d(9, 3, 1)).eval(), torch.randn(1, 2, 4, 4)
    )
    whole, _ = with_weights(exported(graph.full), {})
    falls, full = measure(whole, graph, exported)
    made = falls.of(whole, full, np.array([4]))
    assert [value.tolist() for value in made.constants.values()] == [[0, 1, 2, 3, 4]]


@given(st.data())
@settings(max_examples=50)
def test_what_a_few_exports_tell_is_what_each_group_takes(data: st.DataObject) -> None:
    """A number that falls with one or two of many groups is told from how it fell in six."""
    groups = data.draw(st.integers(PROBES + 1, 30))
    units = data.draw(st.lists(st.integers(3, 64), min_size=groups, max_size=groups))
    gone = probes(units)
    assume(gone is not None)
    assert gone is not None
    assert len(gone) == PROBES
    some = data.draw(st.lists(st.integers(0, groups - 1), min_size=1, max_size=2, unique=True))
    takes = np.zeros(groups, np.int64)
    takes[some] = data.draw(st.lists(st.integers(1, 64), min_size=len(some), max_size=len(some)))
    assert solved(gone, list(gone @ takes)).tolist() == takes.tolist()
