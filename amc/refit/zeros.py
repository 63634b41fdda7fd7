"""What a layer's zeros miss: known before anything is evaluated, as what its refit misses is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amc.modules import kinds
from amc.refit.moments import Moment

LEVELS = 4096
"""Counts that are told of a layer at most: it may have millions of single weights."""


def zeroed(module: nn.Module, order: Tensor, units: int, known: Moment | None = None) -> Tensor:
    """The share of its outputs' variance that a layer misses whose last units are zero.

    (levels + 1,) at evenly spaced counts from none to all of its units. Inputs count as if they
    were uncorrelated, and where nothing is known of them as if all varied alike.

    Args:
        module: A convolution or linear layer.
        order: The rank of each weight's unit, in the weight's shape; of n:m patterns within its own
            block. 0 is the last to go.
        units: As many ranks as there are.
        known: Moments of what it reads.
    """
    weight = kinds.weight_of(module).detach().double()
    power = (weight.square() * _variances(module, weight, known)).cpu()
    by_rank = torch.zeros(units, dtype=torch.float64)
    by_rank.index_add_(0, order.flatten().cpu(), power.flatten())
    missed = torch.cat([by_rank.flip(0).cumsum(0).flip(0), by_rank.new_zeros(1)])
    levels = min(units, LEVELS)
    told = torch.arange(levels + 1) * units // levels
    share: Tensor = missed[told] / missed[0].clamp_min(torch.finfo(torch.float64).tiny)
    return share


def _variances(module: nn.Module, weight: Tensor, known: Moment | None) -> Tensor:
    """Of what each weight multiplies, in a shape that goes with the weight's."""
    if known is None:
        return torch.ones_like(weight)
    variances = (known.second.diagonal() - known.mean.square()).clamp_min(0).to(weight)
    if kinds.known_kind(module).weight.index("in") == 0:
        return variances[:, None]
    inputs = weight.shape[1]
    if len(variances) == weight[0].numel():
        return variances.view(weight.shape[1:])
    return variances.view(inputs, *[1] * (weight.dim() - 2))
