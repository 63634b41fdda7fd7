"""Tracing: from a network to its layers and its groups of channels that must go together.

The coupling is found by torch-pruning's dependency graph (Fang et al., "DepGraph", CVPR 2023) and
flattened at once to plain picklable data. Everything after this file works on that data alone.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from amc.structure import Fixed, Layer, PruningGraph, Side
from amc.units import Element, Unit, grouped, merged

Inputs = Tensor | tuple[Tensor, ...]
WEIGHTED = (nn.Conv2d, nn.Linear)
NORMS = (nn.BatchNorm2d,)


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
    groups = grouped(units, layers)
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


def _units(
    dependencies: Any, names: dict[nn.Module, str], layers: tuple[Layer, ...]
) -> tuple[list[Unit], list[Fixed]]:
    """All units that can go, and the layers that must stay whole."""
    known = {layer.name: layer for layer in layers}
    modules = {name: module for module, name in names.items()}
    units: list[Unit] = []
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
            units += merged(closures)
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
    separate = len(merged(closures)) == len(closures)
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
