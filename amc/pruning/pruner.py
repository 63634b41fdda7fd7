"""From a policy to a pruned network, at any granularity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor, nn

from amc.criteria import best_units, scores, weight_scores
from amc.evaluation import recalibrate
from amc.granularity import Granularity
from amc.graph import KeptUnits, PruningGraph
from amc.modules import Inputs
from amc.policy import GroupChoice, Policy, PolicyError
from amc.pruning.masks import (
    hold,
    input_axis,
    masking_graph,
    masks_of,
    unit_order,
    unit_scores,
    zeroed,
)
from amc.refit import POSITIONS, Moments
from amc.surgery import check_cut, cut, mask
from amc.tasks import Samples
from amc.tracing import survey, trace

RECALIBRATION = 200
"""Samples that batch norms behind masks are measured on; more changed accuracy by under 0.01."""


@dataclass(frozen=True)
class Pruner:
    """A network with its units in order, so that any kept counts give a pruned network.

    Args:
        model: The network, never changed.
        graph: Its decisions.
        ranking: (units,) scores of each group; of an n:m pattern unit r is the r-th best weight of
            every block.
        orders: At a granularity that masks, `amc.pruning.masks.unit_order` of every group's layer.
        moments: What layers that lose inputs are refit from; None leaves the refit out.
        calibration: At a granularity that masks, samples that the statistics of batch norms behind
            a mask are measured on again; None leaves them as they are.
    """

    model: nn.Module
    graph: PruningGraph
    ranking: list[Tensor]
    orders: Mapping[str, Tensor]
    moments: Moments | None = None
    calibration: Samples | None = None

    @classmethod
    def of(
        cls,
        model: nn.Module,
        graph: PruningGraph,
        criterion: str,
        *,
        calibration: Samples | None = None,
        positions: int = POSITIONS,
        seed: int = 0,
        held: Mapping[str, Tensor] | None = None,
    ) -> Pruner:
        """Rank the units of every group, and collect what the refit needs.

        Args:
            model: The trained network.
            graph: Its decisions.
            criterion: Short name.
            calibration: Training samples for criteria that need them, and for the repair of what
                pruning does: layers that lose channels are refit; behind masks, the statistics of
                batch norms are measured again (on the first `RECALIBRATION`). None leaves it out.
            positions: Random positions per calibration sample and layer.
            seed: Of those positions, and of the criterion.
            held: Masks that are to stay: what they prune goes before everything else.

        Raises:
            LookupError: if there is no such criterion.
            ValueError: if the criterion does not suit the granularity, or lacks samples.
        """
        if graph.granularity != "channel":
            saliency = weight_scores(criterion, model, graph, calibration, seed)
            for name, stays in (held or {}).items():
                saliency[name] = saliency[name].where(stays, -1.0)
            few = None if calibration is None else calibration.take(slice(0, RECALIBRATION))
            return cls(model, graph, *_ordered(model, graph, saliency), calibration=few)
        ranking = scores(criterion, model, graph, calibration, seed)
        moments = None
        if calibration is not None:
            moments = Moments.collect(model, graph, calibration, positions=positions, seed=seed)
        return cls(model, graph, ranking, {}, moments)

    def units(self, kept: Sequence[int]) -> KeptUnits:
        """Which units stay at these kept counts."""
        return best_units(self.ranking, kept)

    def masks(self, kept: Sequence[int]) -> dict[str, Tensor]:
        """Which weights stay of each layer that loses some; none at granularity "channel"."""
        return masks_of(self.graph, self.orders, kept) if self.orders else {}

    def network(self, kept: Sequence[int]) -> nn.Module:
        """The pruned network: really smaller, or of full size with plain zeros; repaired."""
        with torch.no_grad():
            if not self.orders:
                return cut(self.model, self.graph, self.units(kept), self.moments)
            network = zeroed(self.model, masks := self.masks(kept))
        if self.calibration is None or not masks:
            return network
        return recalibrate(network, self.calibration, names=self._behind(masks))

    def _behind(self, masks: Mapping[str, Tensor]) -> list[str]:
        """Layers from the first masked one on, in forward order."""
        first = min(self.graph.layer_index[name] for name in masks)
        return [layer.name for layer in self.graph.layers[first:]]

    def held(self, kept: Sequence[int]) -> nn.Module:
        """The same; its zeros stay zeros in training (`amc.pruning.masks.hold`)."""
        return hold(self.network(kept), self.masks(kept))


def _ordered(
    model: nn.Module, graph: PruningGraph, saliency: Mapping[str, Tensor]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Scores of every group's units, and the order in which its layer's weights go."""
    granularity = Granularity.parse(graph.granularity)
    ranking, orders = [], {}
    for group in graph.groups:
        axis = input_axis(model.get_submodule(group.name))
        ranking.append(unit_scores(saliency[group.name], granularity, axis))
        orders[group.name] = unit_order(saliency[group.name], granularity, axis)
    return ranking, orders


def decisions(
    model: nn.Module,
    example_inputs: Inputs,
    granularity: str = "channel",
    exclude: Sequence[str] = (),
) -> PruningGraph:
    """What there is to decide for a network at a granularity.

    Args:
        model: The network, left untouched.
        example_inputs: One tensor (batch, ...) or a tuple of the forward's arguments.
        granularity: As `Granularity.parse` reads it.
        exclude: Shell patterns of layers (such as "stem.*") to leave whole.

    Raises:
        GraphError: if the network cannot be traced, or a pattern matches none of its layers.
        LookupError: for an unknown granularity.
        ValueError: if there is nothing to prune at it.
    """
    unit = Granularity.parse(granularity)
    if unit.masks:
        return masking_graph(survey(model, example_inputs, exclude=exclude), unit)
    return trace(model, example_inputs, exclude=exclude)


def prune(
    model: nn.Module,
    policy: Policy,
    example_inputs: Inputs,
    *,
    calibration: Samples | None = None,
    masked: bool = False,
    seed: int = 0,
    graph: PruningGraph | None = None,
) -> nn.Module:
    """A pruned copy of `model`, which itself is left untouched.

    Args:
        model: The network that the policy was made for, or another of the same architecture.
        policy: How many units of each group stay; its criterion says which.
        example_inputs: One tensor (batch, ...) or a tuple of the forward's arguments.
        calibration: Training samples for criteria that need them, for the least-squares refit of
            the layers that lose channels, and for the batch norms behind masks; without them
            weights are only selected.
        masked: Keep all shapes and set the channels that are pruned to zero.
        seed: Of the random positions that the refit samples, and of the criterion.
        graph: The network's `decisions` at the policy's granularity, where they are known already;
            None traces the network.

    Returns:
        At granularity "channel" a really smaller network. At others one of the same shapes, whose
        pruned weights are held at zero through training and copies; `amc.bake` makes them plain.

    Raises:
        PolicyError: if the policy belongs to another network; names the first difference.
        SurgeryError: if the cut network cannot run, because its code fixes a number of channels,
            or computes something else than the masked one.
    """
    if graph is None:
        graph = decisions(model, example_inputs, policy.granularity, policy.exclude)
    kept = kept_counts(policy, graph)
    pruner = Pruner.of(model, graph, policy.criterion, calibration=calibration, seed=seed)
    if pruner.orders:
        return pruner.held(kept)
    if masked:
        return mask(model, graph, pruner.units(kept), pruner.moments)
    check_cut(model, graph, pruner.units(kept), example_inputs)
    return pruner.network(kept)


def kept_counts(policy: Policy, graph: PruningGraph) -> tuple[int, ...]:
    """The policy's kept counts in the order of the graph's groups.

    Raises:
        PolicyError: if the policy belongs to another network, or a count does not follow the
            pattern of its granularity; names the first difference.
    """
    if policy.granularity != graph.granularity:
        raise PolicyError(
            f"the policy's granularity is {policy.granularity!r}, not {graph.granularity!r}; "
            "trace the network at the policy's"
        )
    ours = [f"{choice.name!r} of {choice.total} units" for choice in policy.groups]
    theirs = [f"{group.name!r} of {group.units} units" for group in graph.groups]
    for number, (asked, found) in enumerate(zip_longest(ours, theirs, fillvalue="none"), 1):
        if asked != found:
            raise PolicyError(
                f"the policy is for another network: as group {number} it has {asked}, where this "
                f"network has {found}; use the model and width that it was searched on"
            )
    unit = Granularity.parse(policy.granularity)
    for choice in policy.groups:
        if unit.n and choice.kept not in (unit.n, unit.m):
            raise PolicyError(
                f"the policy keeps {choice.kept} of every {unit.m} weights in {choice.name!r}; at "
                f"granularity {unit} that is {unit.n} or {unit.m} (n:{unit.m} leaves it free)"
            )
    return policy.kept


def policy_of(
    graph: PruningGraph,
    kept: Sequence[int],
    *,
    criterion: str = "l1",
    origin: Mapping[str, str] | None = None,
) -> Policy:
    """Kept counts as a policy that names the graph's groups."""
    choices = tuple(
        GroupChoice(group.name, int(count), group.units)
        for group, count in zip(graph.groups, kept, strict=True)
    )
    return Policy(choices, graph.granularity, criterion, graph.exclude, dict(origin or {}))
