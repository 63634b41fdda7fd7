"""What a task is tried on: a trained network, its task, and how it is searched and tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from amc.costs.latency import LatencyTable
from amc.finetuning import Recipe
from amc.modules import Inputs
from amc.tasks import Task

WEIGHTS = Path("runs") / "tasks"
"""Where networks that are trained here are kept, so that a study that goes on has the same."""


@dataclass(frozen=True)
class Work:
    """A network and its task.

    Args:
        network: Trained, in evaluation mode.
        example: As `amc.trace` takes it.
        task: What it is scored by.
        recipe: How what a search finds is fine-tuned.
        steps: Gradient steps of it.
        teacher: Whether fine-tuning learns from the unpruned network.
        latency: How long it takes, for a budget of that.
    """

    network: nn.Module
    example: Inputs
    task: Task
    recipe: Recipe
    steps: int
    teacher: bool = False
    latency: LatencyTable | None = None


@dataclass(frozen=True)
class Case:
    """One piece of work.

    Args:
        about: What it is, for the page.
        make: Makes it, small for tests where asked.
        budget: Of the searches.
        episodes: Evaluations of a search.
    """

    about: str
    make: Callable[[bool], Work]
    budget: str
    episodes: int
