"""How a network is trained or fine-tuned, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from amc.parsing import check


@dataclass(frozen=True)
class Usual:
    """What suits an optimizer where nothing else is said.

    Args:
        lr: Peak learning rate of training from random weights.
        weight_decay: As `Recipe` has it.
    """

    lr: float
    weight_decay: float


OPTIMIZERS = {"sgd": Usual(0.1, 5e-4), "adamw": Usual(1e-3, 0.05)}
"""Stochastic gradient descent with Nesterov momentum, for convolutional networks; AdamW (Loshchilov
and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019), which transformers need."""


FINE = 0.1
"""Part of the rate of training from random weights that fine-tuning takes."""


@dataclass(frozen=True)
class Suited:
    """How a network is trained where a recipe leaves it open.

    Args:
        optimizer: One of `OPTIMIZERS`.
        lr: Peak learning rate.
        weight_decay: As `Recipe` has it.
    """

    optimizer: str
    lr: float
    weight_decay: float


def usual_optimizer(model: nn.Module) -> str:
    """What suits a network that nothing is known of: "sgd" where it has batch norms."""
    normed = any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in model.modules())
    return "sgd" if normed else "adamw"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        epochs: Passes over the training samples; fractions are allowed.
        lr: Peak learning rate; None takes `FINE` of what is usual for the optimizer. Fine-tuning
            takes 1/10 to 1/100 of the training rate (Han et al., 2015).
        batch_size: Samples a step.
        optimizer: One of `OPTIMIZERS`. None takes "sgd" where a rate is given or the network has
            batch norms, else "adamw": without them, plain steps that suit one network blow up the
            next.
        momentum: Nesterov momentum of "sgd".
        weight_decay: Of matrices and kernels; biases and norms have none. An L2 penalty with "sgd",
            apart from the gradient with "adamw". None takes what is usual for the optimizer.
        warmup: Fraction of the steps that raise the rate linearly before the cosine decay.
        label_smoothing: Probability mass spread over all classes.
        shift: Largest random shift of an image along each axis, in pixels.
        flip: Mirror images left to right at random.
        seed: Seed of the order of samples and of the augmentation.
        distill: Weight of a teacher's softened answers in the loss, from 0 (labels alone) to 1
            (Hinton et al., 2015); see `amc.finetuning.distillation`.
        temperature: That softens both networks' answers.
        patience: Checks on held-out samples without a better accuracy after which training stops;
            0 never stops early. There is a check every epoch, and at least ten in all.
        gamma_l1: L1 penalty on the scales of batch norms, by its subgradient (Liu et al., "Learning
            Efficient Convolutional Networks through Network Slimming", ICCV 2017).
        gamma_l2: Decay of them, in the convention of `weight_decay`.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: float = 1.0
    lr: float | None = None
    batch_size: int = 128
    optimizer: str | None = None
    momentum: float = 0.9
    weight_decay: float | None = None
    warmup: float = 0.0
    label_smoothing: float = 0.0
    shift: int = 0
    flip: bool = False
    seed: int = 0
    distill: float = 0.0
    temperature: float = 4.0
    patience: int = 0
    gamma_l1: float = 0.0
    gamma_l2: float = 0.0

    def __post_init__(self) -> None:
        bounds = {
            "epochs": (0 <= self.epochs < math.inf, "0 or more"),
            "lr": (self.lr is None or 0 < self.lr < math.inf, "more than 0"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "optimizer": (
                self.optimizer is None or self.optimizer in OPTIMIZERS,
                f"one of {', '.join(OPTIMIZERS)}",
            ),
            "momentum": (0 <= self.momentum < 1, "from 0 to below 1"),
            "weight_decay": (
                self.weight_decay is None or 0 <= self.weight_decay < math.inf,
                "0 or more",
            ),
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "from 0 to below 1"),
            "shift": (self.shift >= 0, "0 or more pixels"),
            "distill": (0 <= self.distill <= 1, "from 0 to 1"),
            "temperature": (0 < self.temperature < math.inf, "more than 0"),
            "patience": (self.patience >= 0, "0 or more checks"),
            "gamma_l1": (0 <= self.gamma_l1 < math.inf, "0 or more"),
            "gamma_l2": (0 <= self.gamma_l2 < math.inf, "0 or more"),
        }
        for name, (good, wanted) in bounds.items():
            check("recipe", name, getattr(self, name), good, wanted)

    def suited(self, model: nn.Module) -> Suited:
        """What is left open, as it suits a network."""
        optimizer = self.optimizer or usual_optimizer(model)
        if self.optimizer is None and self.lr is not None:
            optimizer = "sgd"
        usual = OPTIMIZERS[optimizer]
        lr = FINE * usual.lr if self.lr is None else self.lr
        decay = usual.weight_decay if self.weight_decay is None else self.weight_decay
        return Suited(optimizer, lr, decay)

    def per_epoch(self, samples: int) -> int:
        """Gradient steps of one pass over that many samples, at least 1."""
        return max(1, samples // self.batch_size)

    def steps(self, samples: int) -> int:
        """Gradient steps on that many samples; any epochs above 0 make at least one."""
        return self.steps_of(self.per_epoch(samples))

    def steps_of(self, each: int) -> int:
        """The same where a pass takes `each` gradient steps."""
        if self.epochs == 0:
            return 0
        return max(1, round(self.epochs * each))

    def rate(self, step: int, total: int, peak: float) -> float:
        """Learning rate of step `step` (from 0) of `total`, at most `peak`."""
        warm = round(self.warmup * total)
        if step < warm:
            return peak * (step + 1) / warm
        progress = (step - warm) / max(1, total - warm)
        return peak * 0.5 * (1 + math.cos(math.pi * progress))
