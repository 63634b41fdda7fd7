"""How channels pass through a module of a known kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from amc.graph import Side
from amc.modules import kinds
from amc.tracing.flow import Flow
from amc.tracing.labels import along, varying


@dataclass(frozen=True)
class ModuleRules:
    """Labels in and out of modules.

    Args:
        flow: Of the forward pass.
        frozen: Modules whose channels may not go, with the reason.
    """

    flow: Flow
    frozen: Mapping[str, str]

    def take(self, name: str, module: nn.Module, tensor: Tensor) -> list[Tensor]:
        """Tie what a module reads to its own channels; gives the labels along other axes.

        Where labels change along others too, as a head's do, a channel stands for all of them.
        """
        if kinds.known_kind(module).layer == "embedding":
            return []
        alone = kinds.channelwise(module)
        ids = self.labels(name, module, "out" if alone else "in")
        if kinds.multiplies(module):
            made = self.labels(name, module, "out").reshape(len(ids), -1)
            self.flow.atoms.tie(ids[:, None], made)
        axis = kinds.channel_axis(module, tuple(tensor.shape))
        own = along(ids, axis, tensor.dim())
        rest, covered = [], torch.zeros(len(ids), dtype=torch.bool)
        for plane in self.flow.planes(tensor):
            if axis not in varying(plane):
                rest.append(plane)
                continue
            merged = self.flow.merge((own, plane))
            if alone and varying(plane) != {axis}:
                rest += merged
            covered |= (plane.movedim(axis, 0).flatten(1) != 0).any(1)
        if alone:
            self.flow.atoms.refuse(ids[~covered], "its channels are inputs of the network")
        return rest

    def give(self, name: str, module: nn.Module, output: Tensor, rest: list[Tensor]) -> None:
        """Label what a module makes: its own channels, and `rest` along other axes."""
        axis = kinds.channel_axis(module, tuple(output.shape))
        finer = any(axis in varying(plane) for plane in rest)
        own = () if finer else (along(self.labels(name, module, "out"), axis, output.dim()),)
        self.flow.label(output, [plane for plane in (*own, *rest) if varying(plane)])

    def across(self, module: nn.Module, rest: list[Tensor], made: Tensor) -> list[Tensor]:
        """Labels along the places of a convolution that keeps their number.

        Where it mixes places, it takes those that stay.
        """
        if kinds.known_kind(module).layer != "conv":
            return rest
        left, own = [], cast(Any, module)
        for plane in rest:
            axes = varying(plane)
            first = made.dim() - len(own.kernel_size)
            kernels = [own.kernel_size[axis - first] for axis in axes if axis >= first]
            if any(made.shape[axis] != plane.shape[axis] for axis in axes) or own.stride[0] != 1:
                continue
            if any(kernel > 1 for kernel in kernels):
                if own.padding_mode != "zeros" or len(axes) > 1:
                    continue
                self.flow.over_places("convolution", plane)
            left.append(plane)
        return left

    def tie_heads(self, name: str, module: nn.MultiheadAttention) -> None:
        """A head is rows of each of the three projections, and columns of the last one."""
        atoms, heads, last = self.flow.atoms, module.num_heads, f"{name}.out_proj"
        rows = self.labels(name, module, "out").reshape(3, heads, -1)
        columns = self.labels(last, module.out_proj, "in").reshape(heads, -1)
        for block in rows:
            atoms.tie(block, columns)
        atoms.tie(columns, columns[:, :1])

    def labels(self, name: str, module: nn.Module, side: Side) -> Tensor:
        """(channels,) labels of one side of a module, made when first asked for."""
        elements, atoms = self.flow.elements, self.flow.atoms
        if (name, side) not in elements:
            labels = atoms.fresh(kinds.channels(module, side))
            elements[name, side] = labels
            blocks = labels.reshape(kinds.parts(module), -1)  # of which each loses the same
            if len(blocks) > 1 and isinstance(module, nn.GroupNorm):
                self.flow.norm_groups.append(blocks)  # or some go whole
            else:
                atoms.tie(blocks[:1], blocks)
            if name in self.frozen:
                atoms.refuse(labels, self.frozen[name])
        return elements[name, side]
