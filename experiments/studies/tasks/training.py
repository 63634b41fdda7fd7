"""The networks of the study, trained once and kept."""

from __future__ import annotations

from torch import nn

from amc.finetuning import Recipe, fit
from amc.tasks import Task
from amc.weights import read_weights, save_weights
from experiments.studies.tasks.case import WEIGHTS


def trained(
    name: str, network: nn.Module, task: Task, recipe: Recipe, steps: int, *, keep: bool
) -> None:
    """Train a network in place, or give it the weights of the time before.

    Args:
        name: Of the file of its weights.
        network: With random weights.
        task: With the loss and the data.
        recipe: How.
        steps: Gradient steps.
        keep: Whether weights are kept, and looked up.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if keep and path.is_file():
        network.load_state_dict(read_weights(path)[0])
    else:
        fit(network, task, recipe, steps=steps)
        if keep:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_weights(network, path, {})
    network.eval()
