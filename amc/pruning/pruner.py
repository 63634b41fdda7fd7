"""A network with its units in order: from kept counts to a pruned network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from amc.criteria import best_units, scores, weight_scores
from amc.evaluation import recalibrate
from amc.graph import KeptUnits, PruningGraph
from amc.pruning.masks import (
    apply_masks,
    hold,
    input_axis,
    masks_of,
    unit_order,
    unit_scores,
)
from amc.refit import POSITIONS, Moments, Reconstruction, unexplained
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
        orders: At a granularity that masks, `amc.pruning.masks.unit_order` of every group's layer.
        moments: What layers that lose inputs are refit from; None leaves the refit out.
        calibration: On whose data the statistics of batch norms are measured again, behind a mask
            or where branches are gone; None leaves them as they are.
    """

    model: nn.Module
    graph: PruningGraph
    ranking: list[Tensor]
    orders: Mapping[str, Tensor]
    moments: Moments | None = None
    calibration: Task | None = None

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
        if graph.granularity.masks:
            saliency = weight_scores(criterion, model, graph, task, seed)
            for name, stays in (held or {}).items():
                saliency[name] = saliency[name].where(stays, -1.0)
            return cls(model, graph, *_order(model, graph, saliency), calibration=some)
        ranking = scores(criterion, model, graph, task, seed)
        moments = None
        if some is not None and task is not None:
            moments = Moments.collect(model, graph, task, positions=positions, seed=seed)
        return cls(model, graph, ranking, {}, moments, some)

    @cached_property
    def reconstruction(self) -> Reconstruction | None:
        """The equations of the refit; None without moments."""
        if self.moments is None:
            return None
        return Reconstruction.of(self.model, self.graph, self.moments)

    @cached_property
    def unexplained(self) -> tuple[Tensor | None, ...]:
        """(units + 1,) of each group: what refits to so many units miss (`amc.refit.unexplained`).

        None of groups whose readers are not refit.
        """
        if self.reconstruction is None:
            return (None,) * len(self.ranking)
        return tuple(unexplained(self.graph, self.ranking, self.reconstruction))

    def units(self, kept: Sequence[int]) -> KeptUnits:
        """Which units stay at these kept counts."""
        if len(kept) != len(self.ranking):
            return best_units(self.ranking, kept)  # refuses
        settled = self.graph.settled(kept).tolist()
        return best_units(self.ranking, settled, self.graph.least_at(settled))

    def masks(self, kept: Sequence[int]) -> dict[str, Tensor]:
        """Which weights stay of each layer that loses some; none at granularity "channel"."""
        return masks_of(self.graph, self.orders, kept) if self.orders else {}

    def network(self, kept: Sequence[int]) -> nn.Module:
        """The pruned network: really smaller, or of full size with plain zeros; repaired."""
        with torch.no_grad():
            if not self.orders:
                return self.smaller(kept, self.moments)
            network = apply_masks(self.model, masks := self.masks(kept))
        if self.calibration is None or not masks:
            return network
        return recalibrate(network, self.calibration, names=self._behind(masks))

    def smaller(self, kept: Sequence[int], known: Moments | Reconstruction | None) -> nn.Module:
        """The really smaller network, repaired.

        A layer is refit to what it makes of whole inputs. Without a branch there are others, whose
        spread the norms behind it no longer know.

        Args:
            kept: Units that stay, per group.
            known: What layers that lose inputs are refit from; None leaves the refit out.
        """
        network = cut(self.model, self.graph, self.units(kept), known)
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
        return hold(self.network(kept), self.masks(kept))


def _first(task: Task | None) -> Task | None:
    """The same with few calibration samples; None where there are none."""
    if task is None or task.data_loader is None:
        return None
    return replace_parts(task, data_loader=few(task.data_loader, RECALIBRATION))


def _order(
    model: nn.Module, graph: PruningGraph, saliency: Mapping[str, Tensor]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Scores of every group's units, and the order in which its layer's weights go."""
    granularity = graph.granularity
    ranking, orders = [], {}
    for group in graph.groups:
        axis = input_axis(model.get_submodule(group.name))
        ranking.append(unit_scores(saliency[group.name], granularity, axis))
        orders[group.name] = unit_order(saliency[group.name], granularity, axis)
    return ranking, orders
