"""What a criterion is, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from amc.graph import PruningGraph
from amc.modules import weight_of
from amc.tasks import Task


@dataclass(frozen=True)
class Asked:
    """What a criterion looks at.

    Args:
        model: The trained network; its mode and weights are left as they are.
        graph: Its graph.
        task: With calibration data, or None where there are none.
        seed: Of everything that is drawn at random.
    """

    model: nn.Module
    graph: PruningGraph
    task: Task | None = None
    seed: int = 0

    @property
    def known_task(self) -> Task:
        """The task, of a criterion that needs calibration data."""
        assert self.task is not None
        return self.task


UnitScores = Callable[[Asked], list[Tensor]]
"""Scores of the units of every group, (units,) each; a higher score means keep."""

WeightScores = Callable[[Asked], dict[str, Tensor]]
"""For every weighted layer's name a score of each weight, 0 or more, in the weight's own shape."""


@dataclass(frozen=True)
class Criterion:
    """A way to say which units go first.

    Args:
        about: One line for people.
        units: Scores whole channels.
        weights: Scores single weights, so that the scores of several add up; or why it cannot.
        needs_samples: Whether it runs the network on calibration samples.
        needs_loss: Whether it takes gradients of the task's loss.
    """

    about: str
    units: UnitScores
    weights: WeightScores | str
    needs_samples: bool = False
    needs_loss: bool = False

    @property
    def masks(self) -> Literal[True] | str:
        """True where it can rank single weights, as masks need; otherwise the reason."""
        return self.weights if isinstance(self.weights, str) else True


def weighted_layers(asked: Asked) -> dict[str, Tensor]:
    """The weights of all layers but norms by the layer's name, detached.

    Without those that a module computes from other parameters: they cannot go.
    """
    return {
        name: asked.model.get_parameter(f"{name}.{key}").detach()
        for name, key in weight_keys(asked).items()
    }


def unit_weights(asked: Asked) -> dict[str, Tensor]:
    """Those of `weighted_layers`, and by their own names weights that the network's code reads.

    Of these those alone of which a group takes parts.
    """
    slices = (part for group in asked.graph.groups for part in group.slices)
    names = dict.fromkeys(part.tensor for part in slices if part.side is not None)
    own = {name: asked.model.get_parameter(name).detach() for name in names}
    return {**weighted_layers(asked), **own}


def weight_keys(asked: Asked) -> dict[str, str]:
    """For the name of each of those layers, what its module calls the weight."""
    found = {}
    for layer in asked.graph.layers:
        if layer.kind in ("norm", "own"):
            continue
        module = asked.model.get_submodule(layer.name)
        own = {id(weight): key for key, weight in module.named_parameters(recurse=False)}
        if id(weight_of(module)) in own:
            found[layer.name] = own[id(weight_of(module))]
    return found
