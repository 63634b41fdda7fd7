"""Cutting a network: a new, really smaller one, or a masked one of full size."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from amc.criteria import KeptUnits
from amc.graph import Inputs
from amc.reconstruction import Moments, Refit, refit_layers
from amc.structure import Member, PruningGraph, Side

Channels = dict[tuple[str, Side], Tensor]
"""For each side of a module that shrinks, the positions that stay, ascending."""


class SurgeryError(RuntimeError):
    """A network that fails once it is cut, or computes something else than its graph says."""


def cut(
    model: nn.Module, graph: PruningGraph, units: KeptUnits, moments: Moments | None = None
) -> nn.Module:
    """A copy that has only the kept units; with `moments`, refit to the original's outputs."""
    staying = _channels(graph, units)
    refits = {} if moments is None else refit_layers(model, graph, staying, moments)
    memo: dict[int, Any] = {}
    for name in {name for name, _ in staying}:
        module = model.get_submodule(name)
        _replace(memo, module, _sliced(module, name, staying, refits.get(name)))
    smaller = copy.deepcopy(model, memo)
    for name in {name for name, _ in staying}:
        _resize(smaller.get_submodule(name), staying.get((name, "out")))
    _shift_offsets(smaller, graph, staying, refits)
    return smaller


def mask(
    model: nn.Module, graph: PruningGraph, units: KeptUnits, moments: Moments | None = None
) -> nn.Module:
    """A copy of full size with the pruned weights at zero; its outputs equal those of `cut`."""
    staying = _channels(graph, units)
    small = cut(model, graph, units, moments).state_dict()
    masked = copy.deepcopy(model)
    for name in {name for name, _ in staying}:
        module = masked.get_submodule(name)
        for key, tensor in _shaped(module).items():
            full = torch.zeros_like(tensor) if key != "running_var" else torch.ones_like(tensor)
            full[_region(module, name, key, staying)] = small[f"{name}.{key}"]
            tensor.data.copy_(full)
    for name, tensor in masked.state_dict().items():
        if name in small and small[name].shape == tensor.shape:
            tensor.copy_(small[name])
    return masked


def check_cut(
    model: nn.Module, graph: PruningGraph, units: KeptUnits, example_inputs: Inputs
) -> None:
    """See that cutting runs, and computes the same as setting the same channels to zero.

    It does not where the network's code joins or reorders channels in a way that the graph does
    not know (its own input among them, slices, a softmax over them).

    Raises:
        SurgeryError: if it does not; names the first group that fails alone.
    """
    fault, where = _fault(model, graph, units, example_inputs), "these groups together"
    if not fault:
        return
    full = tuple(tuple(range(group.units)) for group in graph.groups)
    for number, group in enumerate(graph.groups):
        alone = (*full[:number], units[number], *full[number + 1 :])
        own_fault = _fault(model, graph, alone, example_inputs)
        if own_fault:
            fault, where = own_fault, repr(group.name)
            break
    raise SurgeryError(
        f"the network cannot be cut at {where}: {fault}; write its forward pass in terms of the "
        "tensors' own shapes, and keep channels apart and in order"
    )


def _fault(model: nn.Module, graph: PruningGraph, units: KeptUnits, example_inputs: Inputs) -> str:
    """What is wrong with this cut; empty if nothing is."""
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    with torch.no_grad():
        wanted = _tensors(mask(model, graph, units).eval()(*inputs))
        try:
            found = _tensors(cut(model, graph, units).eval()(*inputs))
        except Exception as error:
            return f"its forward pass fails then ({str(error).partition(chr(10))[0]})"
    if all(map(_close, found, wanted)):
        return ""
    return "its outputs then differ from those with the same channels at zero"


def _tensors(output: Any) -> list[Tensor]:
    """All tensors in what a network returns."""
    if isinstance(output, Tensor):
        return [output]
    parts = tuple(output.values()) if isinstance(output, Mapping) else output
    known = isinstance(parts, tuple | list)
    return [tensor for part in parts for tensor in _tensors(part)] if known else []


def _close(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape or not wanted.is_floating_point():
        return found.shape == wanted.shape
    # The square root of the type's precision leaves room for another order of summation.
    room = torch.finfo(wanted.dtype).eps ** 0.5 * float(wanted.abs().max())
    return torch.allclose(found, wanted, rtol=0, atol=room, equal_nan=True)


def _channels(graph: PruningGraph, units: KeptUnits) -> Channels:
    """Positions that stay on each side of each module that loses some."""
    gone: dict[tuple[str, Side], set[int]] = {}
    for group, staying in zip(graph.groups, units, strict=True):
        leaving = sorted(set(range(group.units)) - set(staying))
        if leaving:
            for member in group.members:
                gone.setdefault((member.module, member.side), set()).update(_taken(member, leaving))
    layers = {layer.name: layer for layer in graph.layers}
    return {
        (name, side): torch.tensor(
            [
                index
                for index in range(layers[name].outputs if side == "out" else layers[name].inputs)
                if index not in lost
            ]
        )
        for (name, side), lost in gone.items()
    }


def _taken(member: Member, units: list[int]) -> set[int]:
    return {index for unit in units for index in member.indices[unit]}


def _shaped(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a module that have a channel axis."""
    tensors = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers())}
    return {key: tensor for key, tensor in tensors.items() if tensor.dim() > 0}


def _region(module: nn.Module, name: str, key: str, staying: Channels) -> tuple[Any, ...]:
    """Index of what stays of one tensor."""
    tensor = _shaped(module)[key]
    rows = staying.get((name, "out"), torch.arange(tensor.shape[0]))
    if tensor.dim() == 1:
        return (rows,)
    columns = staying.get((name, "in"), torch.arange(tensor.shape[1]))
    return (rows[:, None], columns[None, :])


def _sliced(
    module: nn.Module, name: str, staying: Channels, refit: Refit | None
) -> dict[str, Tensor]:
    sliced = {}
    for key, tensor in _shaped(module).items():
        if key == "weight" and refit is not None:
            sliced[key] = refit.weight
        else:
            sliced[key] = tensor.detach()[_region(module, name, key, staying)]
    return sliced


def _replace(memo: dict[int, Any], module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Tell deepcopy to put these in place of the module's own, which are then never copied."""
    for key, tensor in tensors.items():
        old = getattr(module, key)
        new = tensor.contiguous()
        is_parameter = isinstance(old, nn.Parameter)
        memo[id(old)] = nn.Parameter(new, old.requires_grad) if is_parameter else new


def _resize(module: nn.Module, outputs: Tensor | None) -> None:
    """Make the module's own numbers agree with its tensors."""
    if isinstance(module, nn.Conv2d):
        depthwise = module.groups == module.in_channels == module.out_channels > 1
        module.out_channels = module.weight.shape[0]
        module.groups = module.out_channels if depthwise else module.groups
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.BatchNorm2d) and outputs is not None:
        module.num_features = len(outputs)


def _shift_offsets(
    model: nn.Module, graph: PruningGraph, staying: Channels, refits: Mapping[str, Refit]
) -> None:
    """Put the constant that a refit adds into the layer's bias, or into the norm that reads it."""
    for name, refit in refits.items():
        layer = graph.layers[graph.layer_index[name]]
        module = model.get_submodule(name)
        if isinstance(module.bias, Tensor):
            module.bias.data += refit.offset
        elif layer.norm is not None:
            norm = model.get_submodule(layer.norm)
            if isinstance(norm.running_mean, Tensor):
                norm.running_mean -= refit.offset
