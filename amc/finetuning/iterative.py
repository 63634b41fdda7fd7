"""Iterative pruning: prune a step, fine-tune, prune on (Han et al., NeurIPS 2015)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from torch import nn

from amc.finetuning.augmentation import steps_in_all
from amc.finetuning.fitting import OnStep, fit
from amc.finetuning.recipes import Recipe
from amc.finetuning.schedule import Schedule
from amc.finetuning.tuning import tune_by_own
from amc.granularity import Rounding
from amc.graph import Kept
from amc.journal import BLANK, Checkpoint, Journal
from amc.tasks import Calibration, Task, task_of
from amc.weights import restore


class Pruned(Protocol):
    """A network on its way: what is left of it, and how many units of each group those are."""

    @property
    def network(self) -> nn.Module: ...

    @property
    def kept(self) -> Kept: ...


P = TypeVar("P", bound=Pruned)


@dataclass(frozen=True)
class Plan:
    """How a network gets from where it is to its kept counts.

    Args:
        schedule: The stages.
        recipe: Fine-tuning of all stages together: its epochs are shared out over them as the
            schedule says, and each stage has a cosine decay and a seed of its own.
        rounding: Which counts are legal on the way; None allows every count.
    """

    schedule: Schedule
    recipe: Recipe
    rounding: Rounding | None = None


def prune_iteratively(
    start: P,
    target: Kept,
    plan: Plan,
    train: Calibration,
    *,
    narrow: Callable[[P, Kept], P],
    full: Kept | None = None,
    holdout: Calibration | None = None,
    teacher: nn.Module | None = None,
    on_step: OnStep | None = None,
    on_stage: Callable[[P], None] | None = None,
    journal: Journal = BLANK,
) -> P:
    """Prune in the plan's stages, fine-tuning after each.

    Which units go is decided anew at every stage, by the weights that the stages before have left.

    Args:
        start: The network as it is; left alone.
        target: Kept counts at the end, per group.
        plan: In which stages, and how they are fine-tuned.
        train: What the network is fine-tuned on.
        narrow: Prunes a network further, to the kept counts given, and returns a new one.
        full: Units of the unpruned groups; those of `start` if left out.
        holdout: As `fit` takes it, at every stage.
        teacher: As `fit` takes it, at every stage.
        on_step: Called after every gradient step, with steps done and in all over all stages.
        on_stage: Called with the network after each stage.
        journal: Has a checkpoint of each stage's fine-tuning, from which the same call goes on.

    Raises:
        ValueError: if the target cannot be reached from the start, or as `fit` does.
        FloatingPointError: if the loss stops being finite.
    """
    wanted = plan.schedule.kept(start.kept, target, full, plan.rounding)
    task = task_of(train)
    total = steps_in_all(task, plan.recipe)
    state, done = start, 0
    for number, (kept, steps) in enumerate(zip(wanted, plan.schedule.steps(total), strict=True)):
        state = narrow(state, kept)
        checkpoint = Checkpoint(journal, f"fine-tuning {number}")
        if task.tune is not None:
            state = _tuned(state, task, steps, checkpoint)
        else:
            fit(
                state.network,
                task,
                replace(plan.recipe, seed=plan.recipe.seed + number),
                steps=steps,
                holdout=holdout,
                teacher=teacher,
                on_step=_shift(on_step, done, total),
                checkpoint=checkpoint,
            )
        done += steps
        if on_stage is not None:
            on_stage(state)
    return state


def _tuned(state: P, task: Task, steps: int, checkpoint: Checkpoint) -> P:
    """The same after the user's own training, which is not made again where it was finished."""
    if (saved := checkpoint.load()) is not None:
        restore(state.network, saved)
        state.network.eval()
        return state
    network = tune_by_own(state.network, task, steps)
    checkpoint.save(network.state_dict())
    return replace(state, network=network)  # type: ignore[type-var]


def _shift(on_step: OnStep | None, before: int, total: int) -> OnStep | None:
    """Tells of the steps of one stage as part of them all."""
    if on_step is None:
        return None
    return lambda done, _, loss: on_step(before + done, total, loss)
