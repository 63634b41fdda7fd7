"""Branches that are gone: a constant stands in the place of each.

In a masked network the layer that reads a branch's groups multiplies with zeros, so that all of the
branch up to there comes to nothing, whatever it computes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from amc.graph import Branch, KeptUnits, PruningGraph
from amc.modules import absent, kinds, narrow_attention, without_nested_tensors


@dataclass(frozen=True)
class Depth:
    """What goes wholly of a network at some units.

    Args:
        branches: That are gone, but for those within others.
        units: What stays of each group, all of it in branches that are gone: they are not cut, but
            replaced.
    """

    branches: tuple[Branch, ...]
    units: KeptUnits

    @classmethod
    def of(cls, graph: PruningGraph, units: KeptUnits) -> Depth:
        """Tell what goes from what stays of each group."""
        counts = np.array([len(staying) for staying in units], np.int64)
        if counts.all():
            return cls((), units)
        settled = graph.settled(counts)
        gone = tuple(
            branch
            for branch, out in zip(graph.branches, graph.outermost(settled), strict=True)
            if out
        )
        whole = tuple(
            staying if count else tuple(range(group.units))
            for group, staying, count in zip(graph.groups, units, settled, strict=True)
        )
        return cls(gone, whole)

    @property
    def readers(self) -> tuple[str, ...]:
        """The layers with whose biases the constants begin."""
        return tuple(branch.reader for branch in self.branches)

    @property
    def touched(self) -> set[str]:
        """Modules that are replaced or read."""
        return {
            name
            for branch in self.branches
            for name in (branch.name, branch.reader, *branch.behind, *dict(branch.passing))
        }


def without_branches(model: nn.Module, branches: Iterable[Branch]) -> nn.Module:
    """In place: put constants where branches were, of a network that is narrowed already."""
    constants = [(branch, constant_of(model, branch)) for branch in branches]
    for branch, constant in constants:
        block = model.get_submodule(branch.name)
        for name, returns in branch.passing:
            passing = absent.Passing(model.get_submodule(name), returns)
            model.set_submodule(name, passing.train(block.training))
        instead = _instead(block, branch, constant)
        model.set_submodule(branch.name, instead.train(block.training))
    return _without_fused_encoders(model) if constants else model


def _without_fused_encoders(model: nn.Module) -> nn.Module:
    """In place: encoders of PyTorch that lost a part call what they have, part by part."""
    for module in model.modules():
        lost = any(isinstance(one, absent.Constant) for one in module.children())
        if isinstance(module, nn.TransformerEncoderLayer) and lost:
            attention: nn.Module = module.self_attn
            if isinstance(attention, nn.MultiheadAttention):
                narrow_attention(attention)
    without_nested_tensors(model)
    return model


def _instead(block: nn.Module, branch: Branch, constant: nn.Parameter) -> nn.Module:
    if branch.form != "bypass":
        filled = branch.form == "filled"
        return absent.Constant(constant, block, branch.axis, filled, branch.returns)
    return absent.Bypass(constant, block, branch.shortcut, branch.activation)


def constant_of(model: nn.Module, branch: Branch) -> nn.Parameter:
    """What the branch comes to when its last layer reads zeros: a leaf, trained as weights are.

    Modules behind that layer that do not take a tensor of one place may raise anything.
    """
    reader: Any = model.get_submodule(branch.reader)
    weight: Tensor = kinds.weight_of(reader)
    none = weight.new_zeros(kinds.channels(reader, "out"))
    made = none if reader.bias is None else reader.bias.detach()
    spread = absent.spread(made, branch.axis, branch.axes)
    with torch.no_grad():
        for name in branch.behind:
            module = model.get_submodule(name)
            mode = module.training
            spread = _one_place(module.eval(), spread)
            module.train(mode)
    return nn.Parameter(spread.detach().clone(), weight.requires_grad)


def _one_place(module: nn.Module, spread: Tensor) -> Tensor:
    """What a module makes of a constant; code around a batch norm may flatten places to samples."""
    flat = isinstance(module, nn.BatchNorm1d) and spread.shape[1:2] != (module.num_features,)
    made: Tensor = module(spread.reshape(1, -1)).reshape(spread.shape) if flat else module(spread)
    return made


def silence(model: nn.Module, branches: Iterable[Branch]) -> nn.Module:
    """In place: let the last layer of each branch multiply with zeros."""
    for branch in branches:
        reader = model.get_submodule(branch.reader)
        weight = kinds.weight_of(reader)
        reader.weight = nn.Parameter(torch.zeros_like(weight), weight.requires_grad)
    return model
