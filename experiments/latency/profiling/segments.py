"""A program in parts: each layer with all that runs behind it, up to the next layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.latency.profiling.program import Op, Program, Shape
from experiments.latency.profiling.templates import Template

FED = ".fed"


@dataclass(frozen=True)
class Segment:
    """One call of a layer.

    Args:
        layer: Its name.
        ops: Its operator, and those that read only what it or earlier segments made.
        inputs: Tensors that earlier segments made, or that the network is given.
        outputs: Tensors that later ones read, or that the network gives.
    """

    layer: str
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def behind(self) -> tuple[str, ...]:
        """Kinds of the operators beside the layer's own."""
        return tuple(op.kind for op in self.ops[1:])


def segments(template: Template) -> tuple[Segment, ...]:
    """All calls in the order they run.

    An operator without a layer's weight belongs to the last of the layers that what it reads comes
    from: the sum of two branches to the later one. What runs before the first layer belongs to it.
    """
    program, owners = template.program, _owners(template)
    layers = [name for op in program.ops if (name := _layer(op, template)) is not None]
    return tuple(_segment(name, number, program, owners) for number, name in enumerate(layers))


def _layer(op: Op, template: Template) -> str | None:
    """The layer whose weight an operator reads."""
    for name in op.inputs:
        module, _, key = template.parameters.get(name, ("", False))[0].rpartition(".")
        row = template.graph.layer_index.get(module)
        kind = "norm" if row is None else template.graph.layers[row].kind
        # A layer that is pruned in ways of its own, as a recurrent one, has weights of many names.
        if kind != "norm" and (len(template.full[name]) > 1 if kind == "own" else key == "weight"):
            return module
    return None


def _owners(template: Template) -> list[int]:
    """For each operator the number of its segment."""
    made: dict[str, int] = {}
    owners, count = [], 0
    for op in template.program.ops:
        own = max((made.get(name, 0) for name in op.inputs), default=0)
        if _layer(op, template) is not None:
            own, count = count, count + 1
        made |= dict.fromkeys(op.outputs, own)
        owners.append(own)
    return owners


def _segment(layer: str, number: int, program: Program, owners: Sequence[int]) -> Segment:
    ops = tuple(op for op, own in zip(program.ops, owners, strict=True) if own == number)
    others = [op for op, own in zip(program.ops, owners, strict=True) if own != number]
    made = {name for op in ops for name in op.outputs}
    held = {*program.weights, *program.constants, ""}
    read = {name for op in others for name in op.inputs} | set(program.outputs)
    inputs = dict.fromkeys(n for op in ops for n in op.inputs if n not in made and n not in held)
    outputs = dict.fromkeys(n for op in ops for n in op.outputs if n in read)
    return Segment(layer, ops, tuple(inputs), tuple(outputs))


def segment_program(
    template: Template, segment: Segment, kept: Sequence[int], *, fed: bool
) -> Program:
    """A segment alone, at these kept counts.

    Args:
        template: That it is a segment of.
        segment: One of `segments`.
        kept: Units that stay, per group.
        fed: What it reads comes out of an operator, and not from outside: a runtime that lays its
            tensors out as it likes then finds them as in the network.
    """
    whole = template.at(kept)
    used = {name for op in segment.ops for name in op.inputs}
    feeds = fed_inputs(template, segment) if fed else ()
    own = tuple(op for op in whole.ops if set(op.outputs) <= _outputs(segment.ops))
    alone = Program(
        own,
        {name: template.shape(name, kept) for name in segment.inputs},
        segment.outputs,
        {name: shape for name, shape in whole.weights.items() if name in used},
        {name: value for name, value in whole.constants.items() if name in used},
        whole.opset,
        whole.types,
    )
    return _fed(alone, feeds)


def fed_inputs(template: Template, segment: Segment) -> tuple[str, ...]:
    """What a convolution's segment reads of what other segments made, where it has places."""
    layer = template.graph.layers[template.graph.layer_index[segment.layer]]
    program = template.program
    return tuple(
        name
        for name in segment.inputs
        if layer.kind == "conv"
        and name not in program.inputs
        and len(template.full[name]) > 2
        and name not in program.types  # of floating-point numbers
    )


def _outputs(ops: Iterable[Op]) -> set[str]:
    return {name for op in ops for name in op.outputs}


def feeder(shape: Shape, opset: int) -> Program:
    """What feeds a segment, alone: what it takes is taken off again."""
    op, weight = _feed("input", shape)
    return Program((op,), {"input": shape}, op.outputs, weight, opset=opset)


def _feed(name: str, shape: Shape) -> tuple[Op, dict[str, Shape]]:
    """A convolution of one weight a channel."""
    axes = [1] * (len(shape) - 2)
    weight = (shape[1], 1, *axes)
    attributes = {"group": shape[1], "kernel_shape": axes}
    return Op("Conv", (name, f"{name}.w"), (name + FED,), attributes), {f"{name}.w": weight}


def _fed(program: Program, names: Sequence[str]) -> Program:
    feeds = {name: _feed(name, program.inputs[name]) for name in names}
    swap: Callable[[str], str] = lambda name: name + FED if name in feeds else name  # noqa: E731
    ops = [replace(op, inputs=tuple(map(swap, op.inputs))) for op in program.ops]
    weights: Mapping[str, Shape] = {
        **program.weights,
        **{name: shape for _, weight in feeds.values() for name, shape in weight.items()},
    }
    return replace(program, ops=(*(op for op, _ in feeds.values()), *ops), weights=weights)
