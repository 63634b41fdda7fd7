"""Several modules in one operation, for networks that are only evaluated.

A batch norm becomes part of the layer that it alone reads, an activation part of the convolution
that it alone reads. Both change a network in place, and what it computes by rounding at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from amc.graph import PruningGraph
from amc.modules import kinds
from amc.modules.absent import found


def fold_norms(model: nn.Module, graph: PruningGraph) -> PruningGraph:
    """Fold each batch norm, in place, into the layer that it alone reads.

    Args:
        model: A network traced as `graph`, or a cut of it; afterwards for evaluation only.
        graph: Says which norm reads which layer.

    Returns:
        The graph of what is left.
    """
    gone = {}
    for layer in graph.layers:
        if layer.norm is None:
            continue
        norm, module = found(model, layer.norm), found(model, layer.name)
        if isinstance(norm, _BatchNorm) and _has_statistics(norm) and _folds(module):
            _fold(module, norm)
            gone[layer.norm] = norm
    _remove(model, gone.values())
    return _without(graph, gone)


def _remove(model: nn.Module, gone: Iterable[nn.Module]) -> None:
    """Put modules that do nothing in their places, under all of their names."""
    known = {id(module) for module in gone}
    names = model.named_modules(remove_duplicate=False)
    for name in [name for name, module in names if id(module) in known]:
        model.set_submodule(name, nn.Identity())


def _without(graph: PruningGraph, norms: Collection[str]) -> PruningGraph:
    groups = tuple(
        replace(group, members=tuple(m for m in group.members if m.module not in norms))
        for group in graph.groups
    )
    readers: dict[str | None, str | None] = {one.name: one.activation for one in graph.layers}
    layers = tuple(
        replace(layer, norm=None, activation=readers[layer.norm]) if layer.norm in norms else layer
        for layer in graph.layers
        if layer.name not in norms
    )
    return replace(graph, groups=groups, layers=layers)


def _has_statistics(norm: _BatchNorm) -> bool:
    return norm.running_mean is not None and kinds.as_it_came(norm)


def _folds(module: nn.Module) -> bool:
    """Not where the weight is computed from others, nor a transposed convolution of several groups.

    PyTorch cannot fuse the latter.
    """
    if "weight" not in dict(module.named_parameters(recurse=False)) or not kinds.as_it_came(module):
        return False
    if isinstance(module, _ConvTransposeNd):
        return module.groups == 1
    return isinstance(module, nn.Linear | _ConvNd)


def _fold(module: nn.Module, norm: _BatchNorm) -> None:
    assert isinstance(norm.running_mean, Tensor)
    assert isinstance(norm.running_var, Tensor)
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    if isinstance(module, nn.Linear):
        fused = fuse_linear_bn_weights(module.weight, module.bias, *statistics)
    else:
        assert isinstance(module, _ConvNd)
        transposed = isinstance(module, _ConvTransposeNd)
        fused = fuse_conv_bn_weights(module.weight, module.bias, *statistics, transposed)
    module.weight, module.bias = fused


@dataclass(frozen=True)
class Clamp:
    """An activation that only cuts values off, which commutes with rounding.

    Args:
        name: What oneDNN calls it.
        limits: It takes.
        function: The same by itself.
    """

    name: str
    limits: tuple[float, ...]
    function: Callable[[Tensor], Tensor]


CLAMPS: dict[type[nn.Module], Clamp] = {
    nn.ReLU: Clamp("relu", (), functional.relu_),
    nn.ReLU6: Clamp("hardtanh", (0.0, 6.0), functional.relu6),
}


class ClampedConv2d(nn.Conv2d):
    """A convolution and the activation behind it: under autocast to bfloat16 one operation.

    That saves reading and writing its output once more, which takes a quarter of a narrow
    network's time, and changes no result: cutting off and rounding commute.

    Attributes:
        activation: Its type.
    """

    activation: type[nn.Module]

    def forward(self, input: Tensor) -> Tensor:
        """(batch, channels, height, width) activations."""
        clamp = CLAMPS[self.activation]
        if not _half(input):
            return clamp.function(super().forward(input))
        bias = None if self.bias is None else self.bias.to(torch.bfloat16)
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            input.to(torch.bfloat16),
            self.weight.to(torch.bfloat16),
            bias,
            self.padding,
            self.stride,
            self.dilation,
            self.groups,
            clamp.name,
            clamp.limits,
            "",
        )
        return fused


def _half(tensor: Tensor) -> bool:
    """Whether autocast has this computed in bfloat16 on a processor."""
    return (
        tensor.dim() == 4
        and tensor.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
    )


def fuse_activations(model: nn.Module, graph: PruningGraph) -> None:
    """Make each activation, in place, part of the convolution that it alone reads.

    Where modules are of other kinds, or not as PyTorch has them, they stay as they are.

    Args:
        model: A network traced as `graph`, or a cut of it; afterwards for evaluation only.
        graph: Says which activation reads which layer.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    gone = []
    for layer in graph.layers:
        if layer.activation is None:
            continue
        conv, clamp = found(model, layer.name), found(model, layer.activation)
        if type(clamp) in CLAMPS and kinds.as_it_came(clamp) and _fuses(conv):
            conv.__class__ = ClampedConv2d
            cast(ClampedConv2d, conv).activation = type(clamp)
            gone.append(clamp)
    _remove(model, gone)


def _fuses(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and kinds.as_it_came(module)
    )
