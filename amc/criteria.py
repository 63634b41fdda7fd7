"""Which units of a group go first: one function each; a higher score means keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from amc.names import look_up
from amc.structure import Group, Member, PruningGraph

Criterion = Callable[[nn.Module, PruningGraph], list[Tensor]]
"""From a network and its graph to one score a unit, (units,) for each group."""

KeptUnits = tuple[tuple[int, ...], ...]
"""For each group, the units that stay, ascending."""


def l1(model: nn.Module, graph: PruningGraph) -> list[Tensor]:
    """Sum of absolute weights (Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017)."""
    return [_group_magnitude(model, group, 1) for group in graph.groups]


def l2(model: nn.Module, graph: PruningGraph) -> list[Tensor]:
    """Euclidean norm of the weights, which NetAdapt ranks filters by (Yang et al., 2018, 3.3)."""
    return [_group_magnitude(model, group, 2) for group in graph.groups]


CRITERIA: dict[str, Criterion] = {"l1": l1, "l2": l2}
"""Short names on the command line and in policies."""


def scores(name: str, model: nn.Module, graph: PruningGraph) -> list[Tensor]:
    """Scores by the criterion called `name`.

    Raises:
        LookupError: if there is no such criterion.
    """
    with torch.no_grad():
        return look_up(CRITERIA, name, "criterion")(model, graph)


def best_units(ranking: Sequence[Tensor], kept: Sequence[int]) -> KeptUnits:
    """The `kept` best units of each group, ascending; of equal scores the first stays.

    Args:
        ranking: (units,) scores of each group.
        kept: How many units of each group stay, at least 1.

    Raises:
        ValueError: if the two have different lengths, or a group cannot keep that many.
    """
    totals = [len(score) for score in ranking]
    if len(kept) != len(totals) or not all(1 <= k <= t for k, t in zip(kept, totals, strict=True)):
        raise ValueError(
            f"kept counts {tuple(kept)} do not suit groups of {tuple(totals)} units; "
            "give one count for each group, from 1 to its units"
        )
    return tuple(
        tuple(sorted(torch.argsort(score, descending=True, stable=True)[:count].tolist()))
        for score, count in zip(ranking, kept, strict=True)
    )


def _group_magnitude(model: nn.Module, group: Group, order: int) -> Tensor:
    """Mean over the group's members of each one's magnitude, which is first scaled to mean 1.

    The scaling keeps a member with many large weights from deciding for all.
    """
    parts = []
    for member in group.members:
        weight = getattr(model.get_submodule(member.module), "weight", None)
        if weight is not None and weight.dim() > 1:
            norm = _unit_norms(weight, member, order)
            parts.append(norm / norm.mean().clamp_min(torch.finfo(norm.dtype).tiny))
    return torch.stack(parts).mean(0)


def _unit_norms(weight: Tensor, member: Member, order: int) -> Tensor:
    """(units,) norm of the weights that each unit takes from this member."""
    axis = 0 if member.side == "out" else 1
    powers = weight.abs().pow(order).transpose(0, axis).flatten(1).sum(1)  # (channels,)
    index = torch.tensor(member.indices, device=weight.device)  # (units, channels of a unit)
    return powers[index].sum(1).pow(1 / order)
