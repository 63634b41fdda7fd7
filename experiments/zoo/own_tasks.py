"""Tasks of a user's own: what --task names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from amc.evaluation import with_answers
from amc.modules import Inputs, call, shapes
from amc.tasks import Task, first_batch, placed
from experiments.settings import import_named
from experiments.zoo.building import first_line


def load_task(name: str) -> tuple[Task, Inputs]:
    """The task that a function gives, and example inputs of what it is for.

    Args:
        name: package.module:function, which returns a task, or a pair of a task and example inputs.

    Raises:
        LookupError: if there is no such function.
        ValueError: if it fails, gives something else, or no inputs can be told.
    """
    function = import_named(name, "task")
    try:
        made = function() if callable(function) and not isinstance(function, Task) else function
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"task {name!r} cannot be made ({first_line(error)}); it must be a function without "
            "arguments that returns an amc.Task"
        ) from error
    task, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(task, Task):
        raise ValueError(
            f"task {name!r} gave {type(task).__name__}; it must return an amc.Task, or a pair of "
            "one and example inputs"
        )
    return task, _example(task, name) if example is None else example


def _example(task: Task, name: str) -> Inputs:
    """One sample of the first batch of the task's data."""
    data = task.some_data
    batch = None if data is None else first_batch(data, 1)
    if batch is None:
        raise ValueError(
            f"task {name!r} has no batches by which to tell what the network takes; return a pair "
            "of the task and example inputs"
        )
    inputs = task.inputs(batch)
    if isinstance(inputs, Mapping):  # Networks of transformers would compute their loss as well.
        return {name: value for name, value in inputs.items() if name not in LABELS} or inputs
    return inputs


LABELS = ("labels", "label")
"""Inputs by name that are none of what a network is used on."""


def suited(task: Task, model: nn.Module, example: Inputs, name: str) -> tuple[Task, Inputs]:
    """The task told of its network, and the inputs where that is.

    Raises:
        ValueError: if the network does not take them, or the task cannot be read.
    """
    there: Inputs = placed(example, model)
    try:
        with torch.no_grad():
            call(model, there)
    except Exception as error:
        raise ValueError(
            f"model {name} fails on inputs of {shapes(there) or 'no tensor'} "
            f"({first_line(error)}); let the task return a pair of itself and inputs that the "
            "network takes"
        ) from error
    return with_answers(task.for_problem(model, there), keep=False), there
