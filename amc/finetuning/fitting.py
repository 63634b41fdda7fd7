"""Training and fine-tuning: gradient descent with a warm-up and a cosine decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amc.devices import (
    bfloat16_is_fast,
    device_of,
    evaluating,
    in_parts,
    lay_out,
    own_generators,
    training_layout,
)
from amc.finetuning.augmentation import augment
from amc.finetuning.distillation import distillation_loss
from amc.finetuning.pausing import Pause
from amc.finetuning.recipes import Recipe
from amc.finetuning.stopping import BestWeights, check_interval
from amc.journal import Checkpoint
from amc.tasks import Samples

__all__ = ["OnStep", "Recipe", "fit"]

OnStep = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, training loss)."""

_SCALES = ("weight", "parametrizations.weight.original")
"""What a batch norm calls its scales; the second where something reparametrises them."""


def fit(
    model: nn.Module,
    train: Samples,
    recipe: Recipe,
    *,
    steps: int | None = None,
    holdout: Samples | None = None,
    teacher: nn.Module | None = None,
    on_step: OnStep | None = None,
    checkpoint: Checkpoint | None = None,
) -> nn.Module:
    """Train `model` in place on `train` with cross-entropy and return it in evaluation mode.

    Same model, samples, recipe and machine give the same weights.

    Args:
        model: Maps (batch, ...) inputs to (batch, classes) logits.
        train: What it learns from.
        recipe: How.
        steps: Gradient steps; overrides the recipe's epochs.
        holdout: Samples that accuracy is checked on as training goes on; the weights of the best
            check come back (the start counts as one), and the recipe's `patience` may end it early.
        teacher: The network that the recipe's `distill` learns from; it is not changed.
        on_step: Called after every step.
        checkpoint: Where the state is saved after every pass over the samples and at the end, and
            where the same call, made again, goes on from; steps made before are told once more.

    Raises:
        FloatingPointError: if the loss stops being finite.
        ValueError: if the recipe needs a teacher, held-out samples or batch norms, and there are
            none.
    """
    _check(model, recipe, holdout, teacher)
    total = recipe.steps(len(train)) if steps is None else steps
    layout = _layout(model, train)
    lay_out(model, layout)
    best = BestWeights(model, holdout, recipe.patience) if holdout is not None else None
    interval = check_interval(total, recipe.per_epoch(len(train)))
    with own_generators(), _evaluating(teacher):
        torch.manual_seed(recipe.seed)
        model.train()
        learner = _Learner(model, recipe, layout, teacher)
        pause = Pause(checkpoint, model, learner.optimiser, best)
        losses = pause.resume()
        for before, value in enumerate(losses, start=1):
            _tell(on_step, before, total, value)
        left = 0 if pause.ended else total - len(losses)
        for inputs, labels in augment(train, recipe, left):
            done, rate = len(losses) + 1, recipe.rate(len(losses), total)
            where = f"at step {done} of {total}"
            losses.append(learner.step(inputs, labels, rate, where))
            _tell(on_step, done, total, losses[-1])
            due = done % interval == 0 or done == total
            if best is not None and due and best.check():
                break
            if done < total and done % recipe.per_epoch(len(train)) == 0:
                pause.save(losses)
        if best is not None:
            best.restore()
        if not pause.ended:
            pause.save(losses, ended=True)
    return model.eval()


def _tell(on_step: OnStep | None, done: int, total: int, loss: float) -> None:
    if on_step is not None:
        on_step(done, total, loss)


def _check(
    model: nn.Module, recipe: Recipe, holdout: Samples | None, teacher: nn.Module | None
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
    if (recipe.gamma_l1 or recipe.gamma_l2) and not _gammas(model):
        raise ValueError(
            "recipe: gamma_l1 and gamma_l2 penalise the scales of batch norms, and the network "
            "has none that it learns; leave them at 0"
        )


class _Learner:
    """A network and what changes it."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        layout: torch.memory_format,
        teacher: nn.Module | None,
    ) -> None:
        self._model, self._recipe, self._layout = model, recipe, layout
        self._device = device_of(model)
        self.optimiser = _optimiser(model, recipe)
        self._gammas = _gammas(model) if recipe.gamma_l1 else []
        self._teacher = teacher if recipe.distill else None

    def step(self, inputs: Tensor, labels: Tensor, rate: float, where: str) -> float:
        """Learn from one batch; the loss before it. Where memory runs out, in several parts.

        Raises:
            FloatingPointError: if that is not finite.
            MemoryError: if memory runs out even so.
        """
        value = in_parts(
            lambda parts: self._slope(inputs, labels, parts), len(labels) // 2, "training"
        )
        if not math.isfinite(value):
            raise FloatingPointError(
                f"training: the loss became {value} {where}; "
                f"lower the learning rate (now {self._recipe.lr:g}) or check the inputs"
            )
        self._descend(rate)
        return value

    def _slope(self, inputs: Tensor, labels: Tensor, parts: int) -> float:
        """The loss, whose gradient is then in the parameters.

        In several parts, so that less memory is needed, batch norms see one part at a time.
        """
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for some, their in zip(inputs.tensor_split(parts), labels.tensor_split(parts), strict=True):
            share = self.loss(some, their) * (len(their) / len(labels))
            total += share.item()
            if math.isfinite(total):
                share.backward()  # type: ignore[no-untyped-call]
        return total

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Of one batch, in float32: the labels' cross-entropy, and the teacher's share."""
        # A copy, because the strides of a single channel pass for either layout.
        inputs = inputs.clone(memory_format=self._layout).to(self._device)
        logits = self._answers(self._model, inputs)
        smoothing = self._recipe.label_smoothing
        hard = F.cross_entropy(logits, labels.to(self._device), label_smoothing=smoothing)
        if self._teacher is None:
            return hard
        with torch.no_grad():
            answers = self._answers(self._teacher, inputs.to(device_of(self._teacher)))
        soft = distillation_loss(logits, answers.to(self._device), self._recipe.temperature)
        return (1 - self._recipe.distill) * hard + self._recipe.distill * soft

    def _answers(self, network: nn.Module, inputs: Tensor) -> Tensor:
        device = inputs.device
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_is_fast(device)):
            logits: Tensor = network(inputs)
        return logits.float()

    def _descend(self, rate: float) -> None:
        """One step down the gradient."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        for gamma in self._gammas:
            if gamma.grad is not None:
                gamma.grad.add_(gamma.detach().sign(), alpha=self._recipe.gamma_l1)
        self.optimiser.step()


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    learned = [p for p in model.parameters() if p.requires_grad]
    gammas = {id(p) for p in _gammas(model)}
    kernels = [p for p in learned if p.dim() > 1]
    others = [p for p in learned if p.dim() <= 1 and id(p) not in gammas]
    groups = [
        {"params": kernels, "weight_decay": recipe.decay},
        {"params": others, "weight_decay": 0.0},
        {"params": _gammas(model), "weight_decay": recipe.gamma_l2},
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr)
    return torch.optim.SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0
    )


def _gammas(model: nn.Module) -> list[nn.Parameter]:
    """The scales of all batch norms, as far as they are learned."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    found = [p for norm in norms for name, p in norm.named_parameters() if name in _SCALES]
    return list(dict.fromkeys(p for p in found if p.requires_grad))


def _layout(model: nn.Module, train: Samples) -> torch.memory_format:
    """The fastest where inputs are images."""
    return training_layout(model) if train.inputs.dim() == 4 else torch.contiguous_format


def _evaluating(teacher: nn.Module | None) -> AbstractContextManager[None]:
    return nullcontext() if teacher is None else evaluating(teacher)
