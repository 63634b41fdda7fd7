"""Fine-tuning by a task: by the user's own training where it has one, else by ours."""

from __future__ import annotations

from torch import nn

from amc.finetuning.fitting import check_learnable, fit
from amc.finetuning.recipes import Recipe
from amc.tasks import Task, own_code


def tune(network: nn.Module, task: Task, recipe: Recipe, *, steps: int) -> nn.Module:
    """The network after so many gradient steps, in evaluation mode; changed in place, or a new one.

    Args:
        network: It.
        task: With `tune`, or what `fit` needs.
        recipe: Of ours; the user's own does as it likes.
        steps: Gradient steps.

    Raises:
        FloatingPointError: if the loss stops being finite.
        ValueError: if the task lacks what is needed, or its own training fails or changes the
            network's layers.
    """
    if task.tune is not None:
        return tune_by_own(network, task, steps)
    return fit(network, task, recipe, steps=steps)


def tune_by_own(network: nn.Module, task: Task, steps: int) -> nn.Module:
    """The same by the user's own training.

    Raises:
        FloatingPointError: as that does.
        ValueError: if it fails otherwise, or gives a network of other tensors.
    """
    assert task.tune is not None
    before = _tensors(network)
    with own_code("tune", "a pruned network"):
        made = task.tune(network, steps)
    tuned = network if made is None else made
    if not isinstance(tuned, nn.Module):
        raise ValueError(
            f"task: tune gave a {type(tuned).__name__}; return the trained network, or nothing "
            "where it is trained in place"
        )
    if _tensors(tuned) != before:
        raise ValueError(
            "task: tune gave a network of other tensors than it was given; let it train the "
            "network as it is"
        )
    return tuned.eval()


def _tensors(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(own.shape) for name, own in network.state_dict().items()}


def check_tunable(task: Task, who: str) -> None:
    """Refuse a task that cannot be fine-tuned.

    Args:
        task: It.
        who: What fine-tunes, for the message.

    Raises:
        ValueError: naming what is missing.
    """
    if task.tune is not None:
        return
    try:
        check_learnable(task, task.unpruned)
    except ValueError as error:
        raise ValueError(f"{who}; {str(error).removeprefix('task: ')}") from None
