"""Scores by a criterion's name, and the units that stay by their scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from amc.criteria.base import Asked, Criterion
from amc.criteria.known import criterion
from amc.graph import KeptUnits, PruningGraph
from amc.modules import without_weight_norms
from amc.tasks import Calibration, Task, task_of


def scores(
    name: str,
    model: nn.Module,
    graph: PruningGraph,
    calibration: Calibration | None = None,
    seed: int = 0,
) -> list[Tensor]:
    """Scores of whole channels: one of shape (units,) for each group; a higher one means keep.

    Args:
        name: Of the criterion: a key of `CRITERIA`, or `lp:P`.
        model: The trained network, which is left as it is.
        graph: Its graph of channels.
        calibration: From the training split, for criteria that need it.
        seed: Of what a criterion draws at random.

    Raises:
        LookupError: if there is no such criterion.
        ValueError: if the criterion needs samples and there are none, cannot score this network,
            or the graph's units are not channels.
    """
    if graph.granularity.masks:
        raise ValueError(
            f"criterion {name!r}: units at granularity {graph.granularity} are no channels; "
            "rank their weights instead (amc.criteria.weight_scores)"
        )
    chosen = criterion(name)
    task = _task(name, chosen, calibration)
    # A caller in inference mode would leave a criterion no gradients to take.
    with torch.inference_mode(False), torch.no_grad():
        return chosen.units(Asked(without_weight_norms(model), graph, task, seed))


def weight_scores(
    name: str,
    model: nn.Module,
    graph: PruningGraph,
    calibration: Calibration | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """A score of every single weight; several weights score the sum.

    Args:
        name: Of the criterion: a key of `CRITERIA`, or `lp:P`.
        model: The trained network, which is left as it is.
        graph: Its graph, at any granularity.
        calibration: From the training split, for criteria that need it.
        seed: Of what a criterion draws at random.

    Returns:
        For the name of each convolution and linear layer, scores of 0 or more in the shape of its
        weight; a higher one means keep.

    Raises:
        LookupError: if there is no such criterion.
        ValueError: if the criterion ranks channels only, or needs samples and there are none.
    """
    chosen = criterion(name)
    if isinstance(chosen.weights, str):
        raise ValueError(
            f"criterion {name!r} ranks channels only: {chosen.weights}; take another, such as 'l1'"
        )
    task = _task(name, chosen, calibration)
    with torch.inference_mode(False), torch.no_grad():
        return chosen.weights(Asked(model, graph, task, seed))


def _task(name: str, chosen: Criterion, calibration: Calibration | None) -> Task | None:
    task = task_of(calibration)
    if chosen.needs_samples and (task is None or task.data_loader is None):
        raise ValueError(
            f"criterion {name!r} runs the network on calibration data and there are none; "
            "give some, or take one that looks at weights alone, such as 'l1'"
        )
    if chosen.needs_loss and task is not None and task.loss_func is None:
        raise ValueError(
            f"criterion {name!r} takes gradients of a loss, and the task has none; give loss_func, "
            "or take another criterion, such as 'l1' or 'regression'"
        )
    return task


def best_units(
    ranking: Sequence[Tensor], kept: Sequence[int], least: Sequence[int] | None = None
) -> KeptUnits:
    """The `kept` best units of each group, ascending; of equal scores the first stays.

    Args:
        ranking: (units,) scores of each group.
        kept: How many units of each group stay.
        least: How many of each must; 1 if left out.

    Raises:
        ValueError: if the two have different lengths, or a group cannot keep that many.
    """
    totals = [len(score) for score in ranking]
    must = [1] * len(totals) if least is None else least
    if len(kept) != len(totals) or not all(
        low <= count <= total for low, count, total in zip(must, kept, totals, strict=True)
    ):
        raise ValueError(
            f"kept counts {tuple(kept)} do not suit groups of {tuple(totals)} units; give one "
            "count for each group, from 1 to its units, or 0 where the network goes on without"
        )
    return tuple(
        tuple(sorted(torch.argsort(score, descending=True, stable=True)[:count].tolist()))
        for score, count in zip(ranking, kept, strict=True)
    )
