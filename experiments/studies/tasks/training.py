"""The networks of the study, trained once and kept."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from amc.finetuning import Recipe, fit
from amc.tasks import Task
from amc.weights import read_weights, save_weights
from experiments.studies.tasks.case import WEIGHTS


def kept(
    name: str, network: nn.Module, train: Callable[[nn.Module], object], *, keep: bool
) -> nn.Module:
    """The network trained in place, or given the weights of the time before; in evaluation mode.

    Args:
        name: Of the file of its weights.
        network: With random weights.
        train: Trains it in place.
        keep: Whether weights are kept, and looked up.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if keep and path.is_file():
        network.load_state_dict(read_weights(path)[0])
    else:
        train(network)
        if keep:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_weights(network, path, {})
    return network.eval()


def trained(
    name: str, network: nn.Module, task: Task, recipe: Recipe, steps: int, *, keep: bool
) -> nn.Module:
    """The same, by a task's loss and data."""
    return kept(name, network, lambda one: fit(one, task, recipe, steps=steps), keep=keep)
