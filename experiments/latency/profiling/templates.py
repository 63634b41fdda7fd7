"""One export of a network, from which its program at any kept counts is made in a moment.

Cutting a unit of a group changes the shapes of parameters and of tensors by whole numbers, always
the same. So one cut a group tells the shapes at all kept counts. The result is proved: at random
counts the program computes what the really smaller network does.

Where an export has widths in its reshapes, and no rule tells which axes of these follow them, one
export a group tells the numbers that change (`experiments.latency.profiling.exports`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amc.export import onnx_model
from amc.graph import KeptUnits, PruningGraph
from amc.modules import Inputs, call, fold_norms, tensors
from amc.surgery import cut
from experiments.latency.profiling import exports
from experiments.latency.profiling.falls import Falls
from experiments.latency.profiling.program import Op, Program, Shape, from_onnx, shapes, to_onnx

Values = Mapping[str, NDArray[np.float32]]

PROOFS = 2
"""Random kept counts at which a template is compared with cut networks."""

SCRAMBLE = 0.01
"""Standard deviation of what is added to every weight before the export."""

TOLERANCE = 1e-3
"""Of its outputs, relative to the largest one."""


class ProfileError(ValueError):
    """A network that cannot be profiled."""


@dataclass(frozen=True)
class Template:
    """The program of a network at any kept counts.

    Args:
        graph: Its decisions.
        program: Unpruned, batch norms folded.
        parameters: For each weight of the program the name of the network's tensor, and whether it
            is transposed.
        falls: What shapes and other numbers lose with a unit of each group.
        full: For each tensor its shape, unpruned.
    """

    graph: PruningGraph
    program: Program
    parameters: Mapping[str, tuple[str, bool]]
    falls: Falls
    full: Mapping[str, Shape]

    def shape(self, name: str, kept: Sequence[int]) -> Shape:
        """Shape of a tensor at these kept counts."""
        gone = np.asarray(self.graph.full) - np.asarray(kept)
        lost = gone @ self.falls.shapes[name] if name in self.falls.shapes else 0
        return tuple((np.asarray(self.full[name], np.int64) - lost).tolist())

    def at(self, kept: Sequence[int]) -> Program:
        """The program at these kept counts."""
        gone = np.asarray(self.graph.full) - np.asarray(kept)
        shapes = {name: self.shape(name, kept) for name in self.program.weights}
        return self.falls.of(_resize(self.program, shapes), self.full, gone)

    def values(self, network: nn.Module) -> Values:
        """Weights for the program from the network, as `made` by cutting."""
        state = network.state_dict()
        return {name: _value(state[key], swap) for name, (key, swap) in self.parameters.items()}


def template(model: nn.Module, graph: PruningGraph, inputs: Inputs) -> Template:
    """Export a network once.

    Args:
        model: Any network, left as it is.
        graph: Its decisions, of channels.
        inputs: Of its forward pass, in the batch that it is to be timed at.

    Raises:
        ProfileError: if the export cannot be resized; names what stands in the way.
    """
    model = _distinct(model)
    folded = _fold(model, graph, graph.full)
    exported = onnx_model(folded, inputs)
    parameters = _parameters(exported, folded)
    program = _free(from_onnx(exported, list(parameters)))
    first = _verify(model, graph, inputs, _reshape(program, 0), parameters)
    if isinstance(first, Template):
        return first
    second = _verify(model, graph, inputs, _reshape(program, -1), parameters)
    if isinstance(second, Template):
        return second
    try:
        parameters = {**parameters, **_reordered(program, folded)}
        return _by_exports(model, graph, inputs, program, parameters)
    except exports.UnlikeError as error:
        first = str(error)
    raise ProfileError(
        f"the network cannot be profiled: its exported form is tied to its widths ({first}); "
        "write its forward pass in terms of the tensors' own shapes, or give another budget than "
        "latency"
    )


def _distinct(model: nn.Module) -> nn.Module:
    """The network with other weights: an export drops biases of zeros and merges equal ones."""
    chance, changed = torch.Generator().manual_seed(0), copy.deepcopy(model).cpu()
    for name, tensor in changed.state_dict().items():
        if tensor.is_floating_point():
            moved = tensor + SCRAMBLE * torch.randn(tensor.shape, generator=chance)
            tensor.copy_(moved.abs() if name.endswith("running_var") else moved)
    return changed


def _verify(
    model: nn.Module,
    graph: PruningGraph,
    inputs: Inputs,
    program: Program,
    parameters: Mapping[str, tuple[str, bool]],
) -> Template | str:
    """The template of a program, or why there is none."""
    try:
        found = _measure_shapes(model, graph, program, parameters)
        _prove(found, model, inputs)
    except (ProfileError, onnx.shape_inference.InferenceError) as error:
        return str(error).partition("\n")[0]
    return found


def _by_exports(
    model: nn.Module,
    graph: PruningGraph,
    inputs: Inputs,
    program: Program,
    parameters: Mapping[str, tuple[str, bool]],
) -> Template:
    """The template that one export a group tells, held against exports at random kept counts.

    Raises:
        UnlikeError: if a cut network's export has other operators, or numbers that fall unevenly.
    """

    def exported(kept: Sequence[int]) -> Program:
        return from_onnx(onnx_model(_fold(model, graph, kept), inputs), ())

    whole, parameters = exports.with_weights(program, parameters)
    measured = exports.measure(whole, graph, exported)
    found = Template(graph, whole, parameters, *measured)
    chance = np.random.default_rng(0)
    for _ in range(PROOFS):
        kept = tuple(int(chance.integers(min(2, n), n + 1)) for n in graph.full)
        exports.compare(found.at(kept), exported(kept))
    return found


def smaller_network(model: nn.Module, graph: PruningGraph, kept: Sequence[int]) -> nn.Module:
    """The really smaller network with its batch norms folded, and the first units of each group."""
    return _fold(model, graph, kept)


def _fold(model: nn.Module, graph: PruningGraph, kept: Sequence[int]) -> nn.Module:
    units: KeptUnits = tuple(tuple(range(count)) for count in kept)
    with torch.no_grad():
        smaller = cut(copy.deepcopy(model).eval(), graph, units)
        fold_norms(smaller, graph)
    return smaller.eval()


def _value(tensor: Tensor, swap: bool) -> NDArray[np.float32]:
    array: NDArray[np.float32] = (tensor.t() if swap else tensor).detach().cpu().numpy()
    return np.ascontiguousarray(array)


def _parameters(model: onnx.ModelProto, network: nn.Module) -> dict[str, tuple[str, bool]]:
    """Initialisers that are the network's own tensors, by name or, where it is lost, by content."""
    state = {key: tensor for key, tensor in network.state_dict().items() if tensor.dim()}
    found = {}
    for item in model.graph.initializer:
        value = onnx.numpy_helper.to_array(item)
        if item.name in state and state[item.name].shape == value.shape:
            found[item.name] = (item.name, False)
        elif value.dtype == np.float32 and value.ndim:
            match = next(_matches(value, state), None)
            if match is not None:
                found[item.name] = match
    return found


def _matches(value: NDArray[Any], state: Mapping[str, Tensor]) -> Iterator[tuple[str, bool]]:
    for key, tensor in state.items():
        for swap in (False, True)[: tensor.dim()]:
            if tensor.dim() == 2 or not swap:
                other = _value(tensor, swap)
                if other.shape == value.shape and np.array_equal(other, value):
                    yield key, swap


def _reordered(program: Program, network: nn.Module) -> dict[str, tuple[str, bool]]:
    """Weights that have a parameter's numbers in another order, as gates of recurrent layers have.

    They are laid out as (directions, gates, inputs); the first direction tells.
    """
    known = {
        np.sort(_value(tensor, swap=False), axis=None).tobytes(): key
        for key, tensor in network.state_dict().items()
        if tensor.dim() == 2
    }
    found = {
        name: known.get(np.sort(value[0], axis=None).tobytes())
        for name, value in program.constants.items()
        if value.dtype == np.float32 and value.ndim == 3
    }
    return {name: (key, False) for name, key in found.items() if key}


def _free(program: Program) -> Program:
    """Without the batch's name in a shape that is known."""
    if any(0 in shape for shape in program.inputs.values()):
        raise ProfileError("the network cannot be profiled: the shape of its inputs is not fixed")
    return program


def _reshape(program: Program, pick: int) -> Program:
    """Targets of reshapes that follow their input: an axis that both have is copied, one is free.

    Args:
        program: Unpruned.
        pick: Which of the axes that only the target has is the free one: the first (0) or the last.
    """
    known, constants, ops = shapes(program), dict(program.constants), []
    for op in program.ops:
        if op.kind == "Reshape" and op.inputs[1] in constants and op.inputs[0] in known:
            target = _free_target(known[op.inputs[0]], known[op.outputs[0]], pick)
            constants[op.inputs[1]] = target
            op = replace(op, attributes={})  # a zero then stands for the input's own axis
        ops.append(op)
    return replace(program, ops=tuple(ops), constants=constants)


def _free_target(source: Shape, target: Shape, pick: int) -> NDArray[np.int64]:
    pairs = zip(source, target, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), len(target))
    same = min(same, len(source), len(target))
    free = [0] * same + list(target[same:])
    if same < len(target):
        free[same if pick == 0 else -1] = -1
    return np.array(free, np.int64)


def _resize(program: Program, weights: Mapping[str, Shape]) -> Program:
    ops = tuple(_regroup(op, program.weights, weights) for op in program.ops)
    return replace(program, ops=ops, weights=dict(weights))


def _regroup(op: Op, full: Mapping[str, Shape], weights: Mapping[str, Shape]) -> Op:
    """A convolution with one group a channel has as many as its weight has filters."""
    groups = op.attributes.get("group", 1)
    if not op.kind.startswith("Conv") or groups == 1 or op.inputs[1] not in full:
        return op
    if full[op.inputs[1]][0] % groups or full[op.inputs[1]][1] != 1:
        return op
    each = full[op.inputs[1]][0] // groups
    return replace(op, attributes={**op.attributes, "group": weights[op.inputs[1]][0] // each})


def _measure_shapes(
    model: nn.Module,
    graph: PruningGraph,
    program: Program,
    parameters: Mapping[str, tuple[str, bool]],
) -> Template:
    """Cut one unit of every group in turn, and see what becomes smaller."""
    base = shapes(program)
    full = {**base, **program.weights}
    slopes = {
        name: np.zeros((len(graph.groups), len(shape)), np.int64) for name, shape in full.items()
    }
    for number, group in enumerate(graph.groups):
        if group.units == 1:
            continue
        kept = (*graph.full[:number], group.units - 1, *graph.full[number + 1 :])
        state = _fold(model, graph, kept).state_dict()
        weights = {
            name: tuple(state[key].shape[::-1] if swap else state[key].shape)
            for name, (key, swap) in parameters.items()
        }
        less = {**shapes(_resize(program, weights)), **weights}
        for name, shape in full.items():
            slopes[name][number] = np.subtract(shape, less[name])
    return Template(graph, program, parameters, Falls(slopes), full)


def _prove(found: Template, model: nn.Module, inputs: Inputs) -> None:
    """Compare programs with cut networks at random kept counts.

    Raises:
        ProfileError: if one computes something else.
    """
    chance = np.random.default_rng(0)
    for _ in range(PROOFS):
        kept = tuple(int(chance.integers(1, units + 1)) for units in found.graph.full)
        model_at(found, _fold(model, found.graph, kept), kept, inputs)


def model_at(
    found: Template, network: nn.Module, kept: Sequence[int], inputs: Inputs
) -> onnx.ModelProto:
    """The program at these kept counts as a model with the weights of a cut network.

    Args:
        found: Of the unpruned network.
        network: Cut to these counts, its batch norms folded.
        kept: Units that stay, per group.
        inputs: That both compute on.

    Raises:
        ProfileError: if they compute different things.
    """
    from onnxruntime import InferenceSession

    exported = to_onnx(found.at(kept), found.values(network))
    with torch.no_grad():
        wanted = tensors(call(network, inputs))
    given = dict(zip(found.program.inputs, (t.numpy() for t in tensors(inputs)), strict=True))
    try:
        computed = InferenceSession(exported.SerializeToString()).run(None, given)
    except Exception as error:  # onnxruntime's own have no other base
        raise ProfileError(f"resized, it does not run: {error}") from error
    for one, other in zip(computed, wanted, strict=True):
        room = TOLERANCE * float(other.abs().max() + 1e-12)
        if one.shape != other.shape or not np.allclose(one, other.numpy(), rtol=0, atol=room):
            raise ProfileError("resized, it computes something else than the cut network")
    return exported
