"""Training and fine-tuning: stochastic gradient descent with a warm-up and a cosine decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amc.devices import bfloat16_is_fast, device_of, lay_out, training_layout
from amc.samples import Samples

OnStep = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, training loss)."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        epochs: Passes over the training samples; fractions are allowed.
        lr: Peak learning rate. Fine-tuning takes 1/10 to 1/100 of the training rate
            (Han et al., 2015).
        batch_size: Samples a step.
        momentum: Nesterov momentum.
        weight_decay: L2 penalty on matrices and kernels; biases and norms have none.
        warmup: Fraction of the steps that raise the rate linearly before the cosine decay.
        label_smoothing: Probability mass spread over all classes.
        shift: Largest random shift of an image along each axis, in pixels.
        flip: Mirror images left to right at random.
        seed: Seed of the order of samples and of the augmentation.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: float = 1.0
    lr: float = 0.01
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.0
    label_smoothing: float = 0.0
    shift: int = 0
    flip: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "epochs": (0 <= self.epochs < math.inf, "0 or more"),
            "lr": (0 < self.lr < math.inf, "more than 0"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "momentum": (0 <= self.momentum < 1, "from 0 to below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "from 0 to below 1"),
            "shift": (self.shift >= 0, "0 or more pixels"),
        }
        for name, (good, wanted) in bounds.items():
            if not good:
                raise ValueError(f"recipe: {name} is {getattr(self, name)}; it must be {wanted}")

    def steps(self, samples: int) -> int:
        """Gradient steps on that many samples; any epochs above 0 make at least one."""
        if self.epochs == 0:
            return 0
        per_epoch = max(1, samples // self.batch_size)
        return max(1, round(self.epochs * per_epoch))

    def rate(self, step: int, total: int) -> float:
        """Learning rate of step `step` (from 0) of `total`."""
        warm = round(self.warmup * total)
        if step < warm:
            return self.lr * (step + 1) / warm
        progress = (step - warm) / max(1, total - warm)
        return self.lr * 0.5 * (1 + math.cos(math.pi * progress))


def fit(
    model: nn.Module,
    train: Samples,
    recipe: Recipe,
    *,
    steps: int | None = None,
    on_step: OnStep | None = None,
) -> nn.Module:
    """Train `model` in place on `train` with cross-entropy and return it in evaluation mode.

    Same model, samples, recipe and machine give the same weights.

    Args:
        model: Maps (batch, ...) inputs to (batch, classes) logits.
        train: What it learns from.
        recipe: How.
        steps: Gradient steps; overrides the recipe's epochs.
        on_step: Called after every step.

    Raises:
        FloatingPointError: if the loss stops being finite.
    """
    total = recipe.steps(len(train)) if steps is None else steps
    device = device_of(model)
    layout = training_layout(model) if train.inputs.dim() == 4 else torch.contiguous_format
    lay_out(model, layout)
    optimiser = _optimiser(model, recipe)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        for step, (inputs, labels) in enumerate(_augmented(train, recipe, total)):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(step, total)
            # A copy, because the strides of a single channel pass for either layout.
            inputs = inputs.clone(memory_format=layout).to(device)
            loss = _loss(model, inputs, labels.to(device), recipe)
            value = loss.item()
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"training: the loss became {value} at step {step + 1} of {total}; "
                    f"lower the learning rate (now {recipe.lr:g}) or check the inputs"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if on_step is not None:
                on_step(step + 1, total, value)
    return model.eval()


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    learned = [p for p in model.parameters() if p.requires_grad]
    kernels = [p for p in learned if p.dim() > 1]
    others = [p for p in learned if p.dim() <= 1]
    groups = [
        {"params": kernels, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0
    )


def _loss(model: nn.Module, inputs: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    device = inputs.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_is_fast(device)):
        logits = model(inputs)
    return F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)


def _augmented(train: Samples, recipe: Recipe, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` random batches, every sample once a pass, with the recipe's augmentation."""
    size = min(recipe.batch_size, len(train))
    order = torch.empty(0, dtype=torch.long)
    images = train.inputs.dim() == 4
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(train))
        chosen, order = order[:size], order[size:]
        inputs = train.floats(chosen)
        if images:
            inputs = _flip(inputs) if recipe.flip else inputs
            inputs = _shift(inputs, recipe.shift) if recipe.shift else inputs
        yield inputs, train.labels[chosen]


def _flip(images: Tensor) -> Tensor:
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def _shift(images: Tensor, most: int) -> Tensor:
    """Each image moved by up to `most` pixels along both axes; the border repeats its edge."""
    count, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4, mode="replicate")
    top = torch.randint(0, 2 * most + 1, (count, 1)) + torch.arange(height)  # (count, height)
    left = torch.randint(0, 2 * most + 1, (count, 1)) + torch.arange(width)  # (count, width)
    sample = torch.arange(count)[:, None, None]
    return padded[sample, :, top[:, :, None], left[:, None, :]].permute(0, 3, 1, 2)
