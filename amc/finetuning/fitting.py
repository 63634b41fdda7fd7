"""Training and fine-tuning: gradient descent with a warm-up and a cosine decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import (
    device_of,
    evaluating,
    in_parts,
    lay_out,
    own_generators,
    train_mode,
    training_layout,
    trains_in_half,
)
from amc.finetuning.augmentation import steps_of_pass, training_batches
from amc.finetuning.pausing import Pause
from amc.finetuning.recipes import Recipe, Suited
from amc.finetuning.stopping import BestWeights, check_interval
from amc.journal import Checkpoint
from amc.modules import call, changed, duplicate
from amc.tasks import (
    Calibration,
    Task,
    checked_loss,
    cross_entropy,
    in_equal_parts,
    moved,
    own_code,
    placed,
    places_cross_entropy,
    relative_error,
    size_of,
    task_of,
    type_of,
)

__all__ = ["OnStep", "Recipe", "fit"]

OnStep = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, training loss)."""

_SCALES = ("weight", "parametrizations.weight.original")
"""What a batch norm calls its scales; the second where something reparametrises them."""


def fit(
    model: nn.Module,
    train: Calibration,
    recipe: Recipe,
    *,
    steps: int | None = None,
    holdout: Calibration | None = None,
    teacher: nn.Module | None = None,
    on_step: OnStep | None = None,
    checkpoint: Checkpoint | None = None,
) -> nn.Module:
    """Train `model` in place and return it in evaluation mode.

    Same model, data, recipe and machine give the same weights.

    Args:
        model: The network.
        train: A task with the loss and the data that it learns from; of data alone, with class
            labels, the loss is the cross-entropy. A task without a loss learns from a teacher, or
            from the unpruned network's answers where its score compares with them.
        recipe: How.
        steps: Gradient steps; overrides the recipe's epochs.
        holdout: A task whose score is checked as training goes on, or data whose accuracy is; the
            weights of the best check come back (the start counts as one), and the recipe's
            `patience` may end it early.
        teacher: The network that the recipe's `distill` learns from; it is not changed.
        on_step: Called after every step.
        checkpoint: Where the state is saved after every pass over the samples and at the end, and
            where the same call, made again, goes on from; steps made before are told once more.

    Raises:
        FloatingPointError: if the loss stops being finite.
        ValueError: if the recipe needs a teacher, held-out samples or batch norms, and there are
            none; or the task lacks what it needs, in a sentence.
    """
    task, judge = task_of(train), task_of(holdout)
    teacher = teacher or (task.unpruned if task.loss_func is None else None)
    _check(model, task, recipe, judge, teacher)
    check_learnable(task, teacher)
    data = task.train_loader
    assert data is not None
    each = steps_of_pass(data, recipe)
    total = recipe.steps_of(each) if steps is None else steps
    layout = training_layout(model)
    lay_out(model, layout)
    best = BestWeights(model, judge, recipe.patience) if judge is not None else None
    interval = check_interval(total, each)
    with own_generators(), _evaluating(teacher):
        torch.manual_seed(recipe.seed)
        train_mode(model)
        learner = _Learner(model, task, recipe, layout, teacher)
        pause = Pause(checkpoint, model, learner.optimiser, best)
        losses = pause.resume()
        for before, value in enumerate(losses, start=1):
            _tell(on_step, before, total, value)
        left = 0 if pause.ended else total - len(losses)
        for batch in training_batches(data, recipe, left):
            done, rate = len(losses) + 1, recipe.rate(len(losses), total, learner.suited.lr)
            where = f"at step {done} of {total}"
            losses.append(learner.step(batch, rate, where))
            _tell(on_step, done, total, losses[-1])
            due = done % interval == 0 or done == total
            if best is not None and due and best.check():
                break
            if done < total and done % each == 0:
                pause.save(losses)
        if best is not None:
            best.restore()
        if not pause.ended:
            pause.save(losses, ended=True)
    return model.eval()


def rehearse(
    model: nn.Module, task: Task, recipe: Recipe, teacher: nn.Module | None = None
) -> None:
    """See that a network can be fine-tuned so, by the loss of a first batch, on a copy of it.

    Args:
        model: As it came; left alone.
        task: As `fit` takes it.
        recipe: The same.
        teacher: The same; the network itself stands for it.

    Raises:
        FloatingPointError: if the loss is not finite.
        ValueError: as `fit` does.
    """
    teacher = teacher or (task.unpruned if task.loss_func is None else None)
    check_learnable(task, teacher)
    assert task.train_loader is not None
    with own_generators(), _evaluating(teacher):
        torch.manual_seed(recipe.seed)
        copy = train_mode(duplicate(model))
        _check(copy, task, recipe, task if recipe.patience else None, teacher)
        learner = _Learner(copy, task, recipe, training_layout(copy), teacher)
        for batch in training_batches(task.train_loader, recipe, 1):
            loss = learner.loss(batch).item()
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"training: the loss of the unpruned network is {loss}; see what loss_func and the "
            "data make of it"
        )


def check_learnable(task: Task, teacher: nn.Module | None) -> None:
    """Refuse to train where the task lacks what that needs.

    Raises:
        ValueError: naming it.
    """
    if task.train_loader is None:
        raise ValueError(
            "task: there is nothing to train on; give train_loader, or fine-tuning of your own as "
            "tune"
        )
    if task.loss_func is None and teacher is None:
        raise ValueError(
            "task: there is no loss to train with; give loss_func, or fine-tuning of your own as "
            "tune"
        )


def _tell(on_step: OnStep | None, done: int, total: int, loss: float) -> None:
    if on_step is not None:
        on_step(done, total, loss)


def _check(
    model: nn.Module, task: Task, recipe: Recipe, holdout: Task | None, teacher: nn.Module | None
) -> None:
    """See that what the recipe needs is there."""
    if recipe.distill and teacher is None:
        raise ValueError(
            f"recipe: distill is {recipe.distill}, but there is no network to learn from; "
            "give fit a teacher"
        )
    if teacher is model:
        raise ValueError("fit: the teacher is the network itself; give it a copy")
    if recipe.patience and holdout is None:
        raise ValueError(
            f"recipe: patience is {recipe.patience}, but nothing is held out to check on; "
            "give fit held-out samples"
        )
    if recipe.label_smoothing and not _of_classes(task):
        raise ValueError(
            f"recipe: label_smoothing is {recipe.label_smoothing}, which smooths labels that are "
            "classes, and the task's loss is of another kind; leave it at 0"
        )
    if (recipe.gamma_l1 or recipe.gamma_l2) and not _gammas(model):
        raise ValueError(
            "recipe: gamma_l1 and gamma_l2 penalise the scales of batch norms, and the network "
            "has none that it learns; leave them at 0"
        )


def _of_classes(task: Task) -> bool:
    loss = getattr(task.loss_func, "func", task.loss_func)
    return loss in (cross_entropy, places_cross_entropy)


class _Learner:
    """A network and what changes it."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        recipe: Recipe,
        layout: torch.memory_format,
        teacher: nn.Module | None,
    ) -> None:
        self._model, self._task = model, task
        self._recipe, self._layout = recipe, layout
        self._device, self._kind = device_of(model), type_of(model)
        self.suited = recipe.suited(model)
        self.optimiser = _optimiser(model, recipe, self.suited)
        self._gammas = _gammas(model) if recipe.gamma_l1 else []
        # Without a loss there is nothing but the teacher to learn from.
        self._share = 1.0 if task.loss_func is None else recipe.distill
        self._teacher = teacher if self._share else None
        single = self._kind is torch.float32
        networks = [one for one in (model, teacher) if one is not None]
        self._in_half = {one: single and trains_in_half(one) for one in networks}

    def step(self, batch: Any, rate: float, where: str) -> float:
        """Learn from one batch; the loss before it. Where memory runs out, in several parts.

        Raises:
            FloatingPointError: if that is not finite.
            MemoryError: if memory runs out even so.
        """
        count = size_of(batch)
        value = in_parts(lambda parts: self._slope(batch, count, parts), count // 2, "training")
        if not math.isfinite(value):
            raise FloatingPointError(
                f"training: the loss became {value} {where}; "
                f"lower the learning rate (now {self.suited.lr:g}) or check the inputs"
            )
        self._descend(rate)
        return value

    def _slope(self, batch: Any, count: int, parts: int) -> float:
        """The loss, whose gradient is then in the parameters.

        In several parts, so that less memory is needed, batch norms see one part at a time.
        """
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for some in in_equal_parts(batch, parts):
            share = self.loss(some) * (size_of(some) / count)
            total += share.item()
            if math.isfinite(total):
                share.backward()  # type: ignore[no-untyped-call]
        return total

    def loss(self, batch: Any) -> Tensor:
        """Of one batch, in float32: the task's loss, and the teacher's share."""
        inputs = self._placed(self._task.inputs(batch))
        outputs = self._answers(self._model, inputs)
        if self._teacher is None:
            return self._hard(outputs, batch)
        with torch.no_grad():
            answers = self._answers(self._teacher, placed(inputs, self._teacher))
        wanted = changed(answers, lambda one: one.to(self._device))
        soft = self._soft(outputs, wanted, batch)
        if self._share == 1:
            return soft
        return (1 - self._share) * self._hard(outputs, batch) + self._share * soft

    def _soft(self, outputs: Any, wanted: Any, batch: Any) -> Tensor:
        """How far the answers are from the teacher's, in places that are no padding."""
        differ = self._task.distill_func or relative_error
        padding = self._task.padding
        outputs, wanted = (padding.blank(one, batch) for one in (outputs, wanted))
        with own_code("distill_func", "outputs and a teacher's", differ):
            made = differ(outputs, wanted, self._recipe.temperature)
        return checked_loss(made, "distill_func")

    def _hard(self, outputs: Any, batch: Any) -> Tensor:
        """The task's loss, with smoothed labels where the recipe says so."""
        smoothing = self._recipe.label_smoothing
        return self._task.loss(outputs, batch, **({"smoothing": smoothing} if smoothing else {}))

    def _placed(self, inputs: Any) -> Any:
        return changed(moved(inputs, self._device, self._kind), self._laid_out)

    def _laid_out(self, one: Tensor) -> Tensor:
        # A copy, because the strides of a single channel pass for either layout.
        return one.clone(memory_format=self._layout) if one.dim() == 4 else one

    def _answers(self, network: nn.Module, inputs: Any) -> Any:
        half = self._in_half[network]
        with torch.autocast(device_of(network).type, torch.bfloat16, enabled=half):
            outputs = call(network, inputs)
        return changed(outputs, lambda one: one.float() if one.is_floating_point() else one)

    def _descend(self, rate: float) -> None:
        """One step down the gradient."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        for gamma in self._gammas:
            if gamma.grad is not None:
                gamma.grad.add_(gamma.detach().sign(), alpha=self._recipe.gamma_l1)
        self.optimiser.step()


def _optimiser(model: nn.Module, recipe: Recipe, suited: Suited) -> torch.optim.Optimizer:
    learned = [p for p in model.parameters() if p.requires_grad]
    gammas = {id(p) for p in _gammas(model)}
    kernels = [p for p in learned if p.dim() > 1]
    others = [p for p in learned if p.dim() <= 1 and id(p) not in gammas]
    groups = [
        {"params": kernels, "weight_decay": suited.weight_decay},
        {"params": others, "weight_decay": 0.0},
        {"params": _gammas(model), "weight_decay": recipe.gamma_l2},
    ]
    if suited.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=suited.lr)
    return torch.optim.SGD(
        groups, lr=suited.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0
    )


def _gammas(model: nn.Module) -> list[nn.Parameter]:
    """The scales of all batch norms, as far as they are learned."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    found = [p for norm in norms for name, p in norm.named_parameters() if name in _SCALES]
    return list(dict.fromkeys(p for p in found if p.requires_grad))


def _evaluating(teacher: nn.Module | None) -> AbstractContextManager[None]:
    return nullcontext() if teacher is None else evaluating(teacher)
