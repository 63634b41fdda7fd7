"""A network with its units in order: from kept counts to a pruned network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from amc.criteria import best_units, scores, weight_scores
from amc.evaluation import recalibrate
from amc.graph import KeptUnits, PruningGraph, narrower
from amc.modules import duplicate
from amc.pruning.masks import (
    apply_masks,
    hold,
    input_axis,
    masks_of,
    unit_order,
    unit_scores,
)
from amc.refit import POSITIONS, Moments, Reconstruction, unexplained, zeroed
from amc.surgery import cut
from amc.tasks import Calibration, Task, few, replace_parts, task_of

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
        orders: Of each group that masks, by its layer, in which order its weights go
            (`amc.pruning.masks.unit_order`).
        moments: What layers that lose inputs are refit from; None leaves the refit out.
        calibration: On whose data the statistics of batch norms are measured again, behind a mask
            or where branches are gone; None leaves them as they are.
        saliency: Scores every weight of a network that lost channels, of which some are masked
            then; None where no group masks, or none is of channels.
        held: Masks that are to stay, by their layers.
    """

    model: nn.Module
    graph: PruningGraph
    ranking: list[Tensor]
    orders: Mapping[str, Tensor]
    moments: Moments | None = None
    calibration: Task | None = None
    saliency: Callable[[nn.Module, PruningGraph], Mapping[str, Tensor]] | None = None
    held: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: nn.Module,
        graph: PruningGraph,
        criterion: str,
        *,
        calibration: Calibration | None = None,
        positions: int = POSITIONS,
        seed: int = 0,
        held: Mapping[str, Tensor] | None = None,
    ) -> Pruner:
        """Rank the units of every group, and collect what the refit needs.

        Args:
            model: The trained network.
            graph: Its decisions.
            criterion: Short name.
            calibration: Training data for criteria that need them, and for the repair of what
                pruning does: layers that lose channels are refit; behind masks, and where branches
                are gone, the statistics of batch norms are measured again (on the first
                `RECALIBRATION`). None leaves it out.
            positions: Random positions per calibration sample and layer.
            seed: Of those positions, and of the criterion.
            held: Masks that are to stay: what they prune goes before everything else.

        Raises:
            LookupError: if there is no such criterion.
            ValueError: if the criterion does not suit the granularity, or lacks samples.
        """
        task = task_of(calibration)
        some = _first(task)
        unit, channels = graph.granularity, graph.channels
        ranked = partial(_weight_scores, criterion=criterion, task=task, seed=seed)
        finer, orders = list[Tensor](), dict[str, Tensor]()
        if unit.masks:
            saliency = ranked(model, graph)
            for name, stays in (held or {}).items():
                saliency[name] = saliency[name].where(stays, -1.0)
            finer, orders = _order(model, graph, saliency)
        if not unit.cuts:
            return cls(model, graph, finer, orders, calibration=some)
        ranking = [*scores(criterion, model, channels, task, seed), *finer]
        moments = None
        if some is not None and task is not None:
            moments = Moments.collect(model, channels, task, positions=positions, seed=seed)
        again = ranked if unit.masks else None
        return cls(model, graph, ranking, orders, moments, some, again, held or {})

    @cached_property
    def reconstruction(self) -> Reconstruction | None:
        """The equations of the refit; None without moments."""
        if self.moments is None:
            return None
        return Reconstruction.of(self.model, self.graph.channels, self.moments)

    @cached_property
    def unexplained(self) -> tuple[Tensor | None, ...]:
        """(units + 1,) of each group: what refits to so many units miss (`amc.refit.unexplained`).

        Where others are masked, of these what their zeros miss (`amc.refit.zeroed`), at fewer
        counts. None of groups whose readers are not refit.
        """
        if self.reconstruction is None or self.moments is None:
            return (None,) * len(self.ranking)
        channels, known = self.graph.channels, self.moments.by_layer
        ranking = self.ranking[: len(channels.groups)]
        names = [group.layers[0] for group in self.graph.finer]
        masked = (
            zeroed(self.model.get_submodule(name), self.orders[name], group.units, known.get(name))
            for name, group in zip(names, self.graph.finer, strict=True)
        )
        return (*unexplained(channels, ranking, self.reconstruction), *masked)

    def units(self, kept: Sequence[int]) -> KeptUnits:
        """Which units stay at these kept counts; of channels alone where others are masked."""
        if len(kept) != len(self.ranking):
            return best_units(self.ranking, kept)  # refuses
        channels = self.graph.channels
        own = slice(len(channels.groups))
        settled = self.graph.settled(kept).tolist()[own]
        return best_units(self.ranking[own], settled, channels.least_at(settled))

    def network(self, kept: Sequence[int]) -> nn.Module:
        """The pruned network: really smaller, or of full size with plain zeros; repaired."""
        return self._with_masks(kept)[0]

    def _with_masks(self, kept: Sequence[int]) -> tuple[nn.Module, dict[str, Tensor]]:
        """It, and which weights stay of each of its layers that loses some."""
        unit = self.graph.granularity
        with torch.no_grad():
            if not unit.masks:
                return self.smaller(kept, self.moments), {}
            network, orders = self.model, self.orders
            if unit.cuts:
                network = self.smaller(kept, self.reconstruction)
                orders = self._orders_of(network, kept)
            groups = self.graph.finer or self.graph.groups
            masks = masks_of(groups, orders, kept[len(kept) - len(groups) :], unit)
            network = apply_masks(network, masks)
        if self.calibration is not None and masks:
            network = recalibrate(network, self.calibration, names=self._behind(masks))
        return network, masks

    def _orders_of(self, network: nn.Module, kept: Sequence[int]) -> dict[str, Tensor]:
        """In which order the weights go of the layers of a network that lost channels."""
        assert self.saliency is not None
        left = narrower(self.graph.channels, self.units(kept))
        groups = [one for one in self.graph.finer if one.layers[0] in left.layer_index]
        graph = replace(left, groups=tuple(groups), granularity=self.graph.granularity.finer)
        saliency = dict(self.saliency(network, left))
        if self.held:
            there = cut(self._of_masks, self.graph.channels, self.units(kept))
            for name in self.held.keys() & saliency.keys():
                stays = there.get_submodule(name).weight
                assert isinstance(stays, Tensor)
                saliency[name] = saliency[name].where(stays > 0, -1.0)
        return _order(network, graph, saliency)[1]

    @cached_property
    def _of_masks(self) -> nn.Module:
        """The network with the masks that are to stay in the place of weights, cut as they are."""
        weights = {name: self.model.get_submodule(name).weight for name in self.held}
        masks = {id(weights[name]): nn.Parameter(own.float()) for name, own in self.held.items()}
        return duplicate(self.model, dict(masks))

    def smaller(self, kept: Sequence[int], known: Moments | Reconstruction | None) -> nn.Module:
        """The really smaller network, repaired.

        A layer is refit to what it makes of whole inputs. Without a branch there are others, whose
        spread the norms behind it no longer know.

        Args:
            kept: Units that stay, per group.
            known: What layers that lose inputs are refit from; None leaves the refit out.
        """
        network = cut(self.model, self.graph.channels, self.units(kept), known)
        if self.calibration is None or not self.measures_norms(kept):
            return network
        return recalibrate(network, self.calibration)

    def measures_norms(self, kept: Sequence[int]) -> bool:
        """Whether the statistics of batch norms are measured again at these kept counts."""
        if self.calibration is None or len(kept) != len(self.ranking):
            return False
        if not self.graph.ended(self.graph.settled(kept)).any():
            return False
        norms = (one for one in self.model.modules() if isinstance(one, _BatchNorm))
        return any(norm.running_mean is not None for norm in norms)

    def _behind(self, masks: Mapping[str, Tensor]) -> list[str]:
        """Layers from the first masked one on, in forward order."""
        first = min(self.graph.layer_index[name] for name in masks)
        return [layer.name for layer in self.graph.layers[first:]]

    def trainable(self, kept: Sequence[int]) -> nn.Module:
        """The same; its zeros stay zeros in training (`amc.pruning.masks.hold`)."""
        return hold(*self._with_masks(kept))


def _first(task: Task | None) -> Task | None:
    """The same with few calibration samples; None where there are none."""
    if task is None or task.data_loader is None:
        return None
    return replace_parts(task, data_loader=few(task.data_loader, RECALIBRATION))


def _order(
    model: nn.Module, graph: PruningGraph, saliency: Mapping[str, Tensor]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Scores of the units of groups that mask, and the order in which their layers' weights go."""
    granularity = graph.granularity
    ranking, orders = [], {}
    for group in graph.finer or graph.groups:
        name = group.layers[0]
        axis = input_axis(model.get_submodule(name))
        ranking.append(unit_scores(saliency[name], granularity, axis))
        orders[name] = unit_order(saliency[name], granularity, axis)
    return ranking, orders


def _weight_scores(
    model: nn.Module, graph: PruningGraph, *, criterion: str, task: Task | None, seed: int
) -> dict[str, Tensor]:
    return weight_scores(criterion, model, graph, task, seed)
