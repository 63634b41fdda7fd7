"""A network's forward pass as plain data, which a runtime can be given at any widths.

The operators are ONNX's. Weights are shapes alone, because how long a pass takes does not depend on
their values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int, ...]

IR_VERSION = 10
WEIGHT = 0.01
"""Value of every weight; neither zero nor so small that results become denormal."""


@dataclass(frozen=True)
class Op:
    """One operator.

    Args:
        kind: ONNX's name of it.
        inputs: Names of tensors; empty ones are left out.
        outputs: Names of tensors.
        attributes: Numbers, texts and lists of them.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Operators in the order they run.

    Args:
        ops: The operators.
        inputs: Names of what is fed, with shapes.
        outputs: Names of what comes out.
        weights: Names of parameters, with shapes.
        constants: Small tensors whose values matter: shapes to take, axes, bounds.
        opset: Version of ONNX's operators.
        types: Of tensors that are no 32-bit floating-point numbers, by ONNX's number for them.
    """

    ops: tuple[Op, ...]
    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    weights: Mapping[str, Shape]
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    opset: int = 18
    types: Mapping[str, int] = field(default_factory=dict)

    def type_of(self, name: str) -> int:
        """ONNX's number for the type of a tensor."""
        return self.types.get(name, TensorProto.FLOAT)


def from_onnx(model: onnx.ModelProto, weights: Sequence[str]) -> Program:
    """The program of a model.

    Args:
        model: With every shape of its inputs known.
        weights: Names of those initialisers whose values do not matter.
    """
    graph = model.graph
    ops = (
        Op(
            node.op_type,
            tuple(node.input),
            tuple(node.output),
            {item.name: _plain(helper.get_attribute_value(item)) for item in node.attribute},
        )
        for node in graph.node
    )
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    return Program(
        tuple(ops),
        {item.name: _shape(item) for item in graph.input},
        tuple(item.name for item in graph.output),
        {name: values[name].shape for name in weights},
        {name: value for name, value in values.items() if name not in weights},
        next(item.version for item in model.opset_import if not item.domain),
        _types(model),
    )


def _types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = (*graph.input, *graph.value_info, *graph.output)
    types = {item.name: item.type.tensor_type.elem_type for item in known}
    return {name: own for name, own in types.items() if own not in (0, TensorProto.FLOAT)}


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _shape(item: onnx.ValueInfoProto) -> Shape:
    return tuple(part.dim_value for part in item.type.tensor_type.shape.dim)


def to_onnx(
    program: Program, values: Mapping[str, NDArray[np.float32]] | None = None
) -> onnx.ModelProto:
    """The model of a program.

    Args:
        program: Of ONNX's operators.
        values: Of its weights; left out, one number everywhere, which takes as long.
    """
    filled = values or {
        name: np.full(shape, WEIGHT, np.float32) for name, shape in program.weights.items()
    }
    nodes = [
        helper.make_node(op.kind, list(op.inputs), list(op.outputs), **op.attributes)
        for op in program.ops
    ]
    held = {**{name: filled[name] for name in program.weights}, **program.constants}
    graph = helper.make_graph(
        nodes,
        "program",
        [
            helper.make_tensor_value_info(name, program.type_of(name), shape)
            for name, shape in program.inputs.items()
        ],
        [
            helper.make_tensor_value_info(name, program.type_of(name), None)
            for name in program.outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    opset = helper.make_opsetid("", program.opset)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def to_json(program: Program) -> bytes:
    """The program as JSON, for runtimes that cannot read ONNX."""
    data = {
        "ops": [[op.kind, op.inputs, op.outputs, dict(op.attributes)] for op in program.ops],
        "inputs": dict(program.inputs),
        "types": {n: program.types[n] for n in program.inputs if n in program.types},
        "outputs": program.outputs,
        "weights": dict(program.weights),
        "constants": {name: value.tolist() for name, value in program.constants.items()},
    }
    return json.dumps(data).encode()


def shapes(program: Program) -> dict[str, Shape]:
    """Shape of every tensor between the operators, the inputs among them.

    Raises:
        onnx.shape_inference.InferenceError: if they do not fit each other.
    """
    inferred = onnx.shape_inference.infer_shapes(
        to_onnx(program), check_type=True, strict_mode=True, data_prop=True
    )
    known = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    return {item.name: _shape(item) for item in known}
