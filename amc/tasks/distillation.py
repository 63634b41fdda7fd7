"""Learning from the answers of another network: how far outputs are from its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from amc.tasks.task import float_outputs, main_output


def distillation_loss(outputs: Any, teacher: Any, temperature: float) -> Tensor:
    """How far the softened answers of a network are from its teacher's: 0 where they agree.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015: the Kullback-Leibler
    divergence in nats of the distributions softmax(logits / temperature), averaged over samples
    (and places), times the squared temperature, which keeps its gradients as large as those of the
    labels.

    Args:
        outputs: With logits, (samples, classes, ...); or a single one, (samples,) or (samples, 1,
            ...), whose sign decides.
        teacher: The same of the teacher.
        temperature: Above 0; higher ones show more of how the teacher ranks wrong classes.

    Raises:
        ValueError: if the two networks tell different numbers of classes apart.
    """
    student, wanted = main_output(outputs), main_output(teacher)
    if wanted.shape != student.shape:
        raise ValueError(
            f"distillation: the teacher answers {tuple(wanted.shape)} where the network answers "
            f"{tuple(student.shape)}; take a teacher of the same classes"
        )
    student, wanted = _of_classes(student), _of_classes(wanted)
    log_wanted = F.log_softmax(wanted.float() / temperature, dim=1)
    log_found = F.log_softmax(student.float() / temperature, dim=1)
    places = student.numel() // max(1, student.shape[1])
    return (
        F.kl_div(log_found, log_wanted, reduction="sum", log_target=True) / places * temperature**2
    )


def _of_classes(logits: Tensor) -> Tensor:
    """(samples, classes, ...) logits; a single one stands beside 0, which is the other class's."""
    single = logits[:, None] if logits.dim() == 1 else logits
    return torch.cat([torch.zeros_like(single), single], 1) if single.shape[1] == 1 else logits


def relative_error(outputs: Any, teacher: Any, temperature: float = 1.0) -> Tensor:
    """The mean squared difference of every output, as a part of the teacher's variance.

    Args:
        outputs: Of a network, nested or not.
        teacher: Of its teacher.
        temperature: Not used: there is nothing to soften.

    Raises:
        ValueError: if the two answer in different shapes, or with whole numbers alone.
    """
    made, wanted = float_outputs(outputs), float_outputs(teacher)
    if not made or [one.shape for one in made] != [one.shape for one in wanted]:
        raise ValueError(
            f"distillation: the network answers {[tuple(one.shape) for one in made]} where the "
            f"teacher answers {[tuple(one.shape) for one in wanted]}; give a distill_func"
        )
    each = [
        (one.float() - other.float()).square().mean() / other.float().var().clamp_min(1e-12)
        for one, other in zip(made, wanted, strict=True)
    ]
    return torch.stack(each).mean()
