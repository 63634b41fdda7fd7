"""What can be pruned: the network's layers and its groups of channels that must go together.

The coupling is found by torch-pruning's dependency graph (Fang et al., "DepGraph", CVPR 2023) and
flattened at once to plain picklable data. Everything after this file works on that data alone.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal

import numpy as np
import torch
import torch_pruning as tp
from numpy.typing import NDArray
from torch import Tensor, nn

Inputs = Tensor | tuple[Tensor, ...]
Side = Literal["out", "in"]
WEIGHTED = (nn.Conv2d, nn.Linear)
NORMS = (nn.BatchNorm2d,)


@dataclass(frozen=True)
class Layer:
    """A convolution, linear layer or norm, with what its costs need.

    Args:
        name: Dotted name of the module.
        kind: "conv", "linear" or "norm".
        outputs: n, output channels.
        inputs: c, input channels.
        groups: Of a grouped convolution; 1 elsewhere.
        kernel: Size along each axis; empty for linear layers and norms.
        stride: Along each axis; empty for linear layers and norms.
        in_size: Spatial size of the input, without batch and channels.
        positions: Output positions per sample, summed over the calls of a shared module.
        area: Weights for each pair of an output and an input that it reads: k x k, or 1 for a
            linear layer, or 0 for a norm.
        extra: Weights for each output alone: a bias, or a norm's scale and shift.
        norm: Name of the batch norm that alone reads this layer's output, if there is one.
    """

    name: str
    kind: Literal["conv", "linear", "norm"]
    outputs: int
    inputs: int
    groups: int = 1
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    in_size: tuple[int, ...] = ()
    positions: int = 0
    area: int = 0
    extra: int = 0
    norm: str | None = None

    @property
    def depthwise(self) -> bool:
        """One filter per channel, so that outputs and inputs go together."""
        return self.groups > 1 and self.groups == self.inputs == self.outputs


@dataclass(frozen=True)
class Member:
    """One side of one module that loses channels with a group.

    Args:
        module: Dotted name.
        side: "out" for output channels (and for norms and depthwise layers), "in" for inputs.
        indices: For each unit of the group, the positions it takes along that side.
    """

    module: str
    side: Side
    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """Units that are pruned by one decision; unit u removes `indices[u]` from every member.

    Args:
        name: Name of its first layer in forward order.
        units: How many there are.
        members: All that shrinks when a unit goes.
        layers: Weighted layers whose outputs these are, in forward order; the first is described
            to the agent.
    """

    name: str
    units: int
    members: tuple[Member, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Fixed:
    """A layer whose output channels all stay, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class PruningGraph:
    """The network as data: layers in forward order, groups in forward order, what is left alone.

    Args:
        layers: Weighted layers and norms in the order they first run.
        groups: The decisions, in forward order.
        fixed: Layers that no decision shrinks on their output side.
        other_params: Parameters outside of `layers`, which pruning does not change.
    """

    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    fixed: tuple[Fixed, ...] = ()
    other_params: int = 0

    @cached_property
    def full(self) -> tuple[int, ...]:
        """Units of every group: the kept counts of the unpruned network."""
        return tuple(group.units for group in self.groups)

    @cached_property
    def layer_index(self) -> dict[str, int]:
        """Position of each layer in `layers` by its name."""
        return {layer.name: index for index, layer in enumerate(self.layers)}

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """(layers,) the group that decides a layer's outputs; -1 where none does."""
        owner = np.full(len(self.layers), -1, dtype=np.int64)
        for number, group in enumerate(self.groups):
            for name in group.layers:
                if owner[self.layer_index[name]] < 0:
                    owner[self.layer_index[name]] = number
        return owner

    @cached_property
    def _width_maps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(layers, groups) channels that a unit takes on the output and on the input side."""
        maps = {side: np.zeros((len(self.layers), len(self.groups)), np.int64) for side in _SIDES}
        for number, group in enumerate(self.groups):
            for member in group.members:
                row = self.layer_index[member.module]
                maps[member.side][row, number] = len(member.indices[0])
        return maps["out"], maps["in"]

    @cached_property
    def _full_widths(self) -> NDArray[np.int64]:
        """(2, layers) output and input channels of the unpruned network."""
        return np.array([[x.outputs for x in self.layers], [x.inputs for x in self.layers]])

    def widths(self, kept: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Output and input channels of every layer, each (layers,), at these kept counts.

        Exact: every unit of a group takes the same number of channels of a member.
        """
        gone = np.asarray(self.full, np.int64) - np.asarray(kept, np.int64)
        out_map, in_map = self._width_maps
        full_out, full_in = self._full_widths
        return full_out - out_map @ gone, full_in - in_map @ gone


_SIDES: tuple[Side, Side] = ("out", "in")
Element = tuple[str, Side, int]


class GraphError(ValueError):
    """A network that cannot be traced or has nothing to prune."""


def trace(model: nn.Module, example_inputs: Inputs) -> PruningGraph:
    """Find the layers and groups of `model`, which is left untouched.

    Args:
        model: Any network whose forward pass torch's autograd can follow.
        example_inputs: One tensor (batch, ...) or a tuple of the forward's arguments.

    Raises:
        GraphError: if a layer's weights are not plain parameters of its own, the forward pass
            fails or cannot be followed, or nothing can be pruned.
    """
    _check_weights(model)
    model = copy.deepcopy(model).eval().requires_grad_(True)
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    calls = _run(model, inputs)
    dependencies = _dependencies(model, inputs)
    names = {module: name for name, module in model.named_modules()}
    layers = _layers(model, calls, _norm_readers(dependencies, names))
    units, fixed = _units(dependencies, names, layers)
    groups = _groups(units, layers)
    if not groups:
        why = "; ".join(f"{item.name}: {item.reason}" for item in fixed) or "no layers"
        raise GraphError(f"the network has nothing that can be pruned ({why})")
    counted = {f"{layer.name}." for layer in layers}
    other = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[0] + "." not in counted
    )
    return PruningGraph(layers, groups, tuple(fixed), other)


def _check_weights(model: nn.Module) -> None:
    """Refuse layers whose weights are computed or shared: cutting one would break the other."""
    owners: dict[int, str] = {}
    for name, module in model.named_modules():
        if not isinstance(module, WEIGHTED + NORMS):
            continue
        own = dict(module.named_parameters(recurse=False))
        computed = isinstance(module, WEIGHTED) and "weight" not in own
        if computed or own.keys() - {"weight", "bias"}:
            raise GraphError(
                f"layer {name} computes its weight from other parameters; make it a plain one "
                "(torch.nn.utils.parametrize.remove_parametrizations)"
            )
        for key, parameter in own.items():
            other = owners.setdefault(id(parameter), name)
            if other != name:
                raise GraphError(
                    f"layers {other} and {name} share their {key}; give each one of its own"
                )


def _dependencies(model: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """torch-pruning's dependency graph of a model whose forward pass is known to run."""
    try:
        with torch.enable_grad():
            return tp.DependencyGraph().build_dependency(
                model, inputs, output_transform=_marked, verbose=False
            )
    except Exception as error:
        raise GraphError(
            f"the network's layers cannot be followed from its outputs to its inputs "
            f"({_in_short(error)}); return tensors that autograd can differentiate"
        ) from error


def _in_short(error: Exception) -> str:
    """Its kind and its first line."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _marked(output: Any) -> list[Any]:
    """Each output behind one more operation, so that one which is also read again is known."""
    return [value * 1 for value in tp.utils.flatten_as_list(output)]


@dataclass
class _Calls:
    """What was seen of a module during the forward pass."""

    in_size: tuple[int, ...]
    positions: int = 0


def _run(model: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, _Calls]:
    """Run the network once; the calls of its layers, in the order they first ran."""
    calls: dict[str, _Calls] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            spatial = slice(1, -1) if isinstance(module, nn.Linear) else slice(2, None)
            call = calls.setdefault(name, _Calls(tuple(args[0].shape[spatial])))
            call.positions += prod(output.shape[spatial])

        return hook

    handles = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if isinstance(module, WEIGHTED + NORMS)
    ]
    try:
        with torch.no_grad():
            model(*inputs)
    except Exception as error:
        shapes = ", ".join(str(tuple(value.shape)) for value in inputs)
        raise GraphError(
            f"the network's forward pass fails on example inputs of shape {shapes}: "
            f"{_in_short(error)}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _norm_readers(dependencies: Any, names: dict[nn.Module, str]) -> dict[str, str]:
    """For each layer whose output only a batch norm reads, that norm."""
    readers = {}
    for module, node in dependencies.module2node.items():
        if isinstance(module, WEIGHTED) and len(node.outputs) == 1:
            reader = node.outputs[0]
            if isinstance(reader.module, NORMS) and len(reader.inputs) == 1:
                readers[names[module]] = names[reader.module]
    return readers


def _layers(
    model: nn.Module, calls: dict[str, _Calls], readers: dict[str, str]
) -> tuple[Layer, ...]:
    return tuple(
        _layer(name, model.get_submodule(name), call, readers.get(name))
        for name, call in calls.items()
    )


def _layer(name: str, module: nn.Module, call: _Calls, norm: str | None) -> Layer:
    size, positions = call.in_size, call.positions
    if isinstance(module, nn.Conv2d):
        return Layer(
            name,
            "conv",
            module.out_channels,
            module.in_channels,
            module.groups,
            module.kernel_size,
            module.stride,
            size,
            positions,
            area=prod(module.kernel_size),
            extra=int(module.bias is not None),
            norm=norm,
        )
    if isinstance(module, nn.Linear):
        return Layer(
            name,
            "linear",
            module.out_features,
            module.in_features,
            in_size=size,
            positions=positions,
            area=1,
            extra=int(module.bias is not None),
            norm=norm,
        )
    assert isinstance(module, nn.BatchNorm2d)
    channels = module.num_features
    extra = 2 if module.affine else 0
    return Layer(name, "norm", channels, channels, in_size=size, positions=positions, extra=extra)


@dataclass(frozen=True)
class _Unit:
    """Channels that must go together: for each side of a module, its positions."""

    parts: tuple[tuple[str, Side, tuple[int, ...]], ...]

    @property
    def signature(self) -> tuple[tuple[str, Side, int], ...]:
        """What units of one group share: the sides they touch and how many channels of each."""
        return tuple((module, side, len(indices)) for module, side, indices in self.parts)


def _units(
    dependencies: Any, names: dict[nn.Module, str], layers: tuple[Layer, ...]
) -> tuple[list[_Unit], list[Fixed]]:
    """All units that can go, and the layers that must stay whole."""
    known = {layer.name: layer for layer in layers}
    modules = {name: module for module, name in names.items()}
    units: list[_Unit] = []
    fixed: list[Fixed] = []
    covered: set[str] = set()
    for layer in layers:
        if layer.kind == "norm" or layer.name in covered:
            continue
        if modules[layer.name] not in dependencies.module2node:
            fixed.append(Fixed(layer.name, "autograd does not reach it from the outputs"))
            continue
        closures, reason = _closures(dependencies, names, known, modules[layer.name])
        together = {name for part in closures for name, side, _ in part if side == "out"}
        together.add(layer.name)
        if reason:
            whole = [x.name for x in layers if x.kind != "norm" and x.name in together - covered]
            fixed += [Fixed(name, reason) for name in whole]
        else:
            units += _merged(closures)
        covered |= together
    return units, fixed


def _closures(
    dependencies: Any, names: dict[nn.Module, str], known: dict[str, Layer], root: nn.Module
) -> tuple[list[set[Element]], str]:
    """For each output channel of `root`, all that goes with it; or why nothing may go."""
    prune = dependencies.get_pruner_of_module(root).prune_out_channels
    channels = range(dependencies.get_out_channels(root))
    whole = dependencies.get_pruning_group(root, prune, list(channels))
    reason = _obstacle(dependencies, whole, names, known)
    closures = _by_root(dependencies, whole, names, len(channels))
    reason = reason or _misplaced(closures, known)
    if reason:
        return closures, reason
    probes = {0, len(channels) // 3, len(channels) // 2, len(channels) - 1}
    if any(_one(dependencies, root, prune, names, i) != closures[i] for i in probes):
        closures = [_one(dependencies, root, prune, names, i) for i in channels]
    return closures, _taken_apart(whole, closures)


def _obstacle(
    dependencies: Any, group: Any, names: dict[nn.Module, str], known: dict[str, Layer]
) -> str:
    """Why the channels of this group may not go; empty where they may."""
    for item in group:
        node = item.dep.target
        module = node.module
        if not node.outputs and _side(dependencies, item.dep) == "out":
            return "its channels are outputs of the network"
        if node.type == tp.ops.OPTYPE.CONCAT and len(node.inputs) < len(
            node.grad_fn.next_functions
        ):
            return "its channels are joined with the network's inputs"
        if isinstance(module, nn.Parameter):
            return f"it meets {node.name}, a parameter outside of a known layer"
        name = names.get(module)
        if name is None:
            continue
        if name not in known:
            return f"it meets {name}, a {type(module).__name__}, which cannot be pruned yet"
        layer = known[name]
        if layer.groups > 1 and not layer.depthwise:
            return f"it meets {name}, a grouped convolution"
        if layer.depthwise and not node.inputs:
            return "its channels are inputs of the network"
    return ""


def _misplaced(closures: list[set[Element]], known: dict[str, Layer]) -> str:
    """The reason, if channels are said to go where a layer has none: their way there is unknown."""
    for name, side, index in sorted(set[Element]().union(*closures)):
        layer = known.get(name)
        if layer and index >= (layer.outputs if side == "out" else layer.inputs):
            return f"its channels are rearranged on the way to {name}"
    return ""


def _taken_apart(group: Any, closures: list[set[Element]]) -> str:
    """The reason, if channels are told apart by their positions, which a cut changes.

    Parts that meet again, channel by channel, stay of equal size and are no obstacle.
    """
    kinds = {
        node.type
        for item in group
        if any(item.dep.index_mapping)
        for node in (item.dep.source, item.dep.target)
    }
    separate = len(_merged(closures)) == len(closures)
    if tp.ops.OPTYPE.SLICE in kinds or (tp.ops.OPTYPE.SPLIT in kinds and separate):
        return "its channels are taken apart by position"
    return ""


def _by_root(
    dependencies: Any, group: Any, names: dict[nn.Module, str], channels: int
) -> list[set[Element]]:
    """Split a whole group into the elements that each root channel reaches.

    Loses couplings between channels of one layer (a fused qkv), so `_closures` probes it.
    """
    closures: list[set[Element]] = [set() for _ in range(channels)]
    for item in group:
        side = _side(dependencies, item.dep)
        name = names.get(item.dep.target.module)
        if name is not None:
            for index, root in zip(item.idxs, item.root_idxs, strict=True):
                closures[root].add((name, side, index))
    return closures


def _one(
    dependencies: Any, root: nn.Module, prune: Any, names: dict[nn.Module, str], channel: int
) -> set[Element]:
    """All elements that go with one output channel of `root`."""
    group = dependencies.get_pruning_group(root, prune, [channel])
    return {
        (names[item.dep.target.module], _side(dependencies, item.dep), index)
        for item in group
        if item.dep.target.module in names
        for index in item.idxs
    }


def _side(dependencies: Any, dependency: Any) -> Side:
    return "out" if dependencies.is_out_channel_pruning_fn(dependency.handler) else "in"


def _merged(closures: list[set[Element]]) -> list[_Unit]:
    """Units: closures that share an element become one."""
    owner: dict[Element, int] = {}
    merged: dict[int, set[Element]] = {}
    for number, closure in enumerate(closures):
        joined = set(closure)
        for other in {owner[element] for element in closure if element in owner}:
            joined |= merged.pop(other)
        merged[number] = joined
        owner.update(dict.fromkeys(joined, number))
    return [_unit(elements) for elements in merged.values()]


def _unit(elements: set[Element]) -> _Unit:
    positions: dict[tuple[str, Side], list[int]] = defaultdict(list)
    for name, side, index in sorted(elements):
        positions[name, side].append(index)
    return _Unit(tuple((name, side, tuple(where)) for (name, side), where in positions.items()))


def _groups(units: list[_Unit], layers: tuple[Layer, ...]) -> tuple[Group, ...]:
    """Units of one signature form a group; groups stand in the order of their first layer."""
    order = {layer.name: index for index, layer in enumerate(layers)}
    weighted = {layer.name for layer in layers if layer.kind != "norm"}
    by_signature: dict[tuple[tuple[str, Side, int], ...], list[_Unit]] = defaultdict(list)
    for unit in units:
        known = _Unit(tuple(part for part in unit.parts if part[0] in order))
        by_signature[known.signature].append(known)
    found = []
    for signature, alike in by_signature.items():
        outs = {name for name, side, _ in signature if side == "out" and name in weighted}
        made_by = tuple(sorted(outs, key=order.__getitem__))
        members = tuple(
            Member(name, side, tuple(unit.parts[row][2] for unit in alike))
            for row, (name, side, _) in enumerate(signature)
        )
        found.append(Group(made_by[0], len(alike), members, made_by))
    found.sort(key=lambda group: order[group.name])
    return _distinct(found)


def _distinct(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Groups that share their first layer are numbered, so that every name is unique."""
    seen: dict[str, int] = defaultdict(int)
    named = []
    for group in groups:
        seen[group.name] += 1
        suffix = f"#{seen[group.name]}" if seen[group.name] > 1 else ""
        named.append(Group(group.name + suffix, group.units, group.members, group.layers))
    return tuple(named)
