"""Learning from the answers of the unpruned network beside the labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far the softened answers of a network are from its teacher's: 0 where they agree.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015: the Kullback-Leibler
    divergence in nats of the distributions softmax(logits / temperature), averaged over samples,
    times the squared temperature, which keeps its gradients as large as those of the labels.

    Args:
        student: Its logits, (samples, classes).
        teacher: Those of the teacher, (samples, classes).
        temperature: Above 0; higher ones show more of how the teacher ranks wrong classes.

    Raises:
        ValueError: if the two networks tell different numbers of classes apart.
    """
    if teacher.shape != student.shape:
        raise ValueError(
            f"distillation: the teacher answers {tuple(teacher.shape)} where the network answers "
            f"{tuple(student.shape)}; take a teacher of the same classes"
        )
    wanted = F.log_softmax(teacher / temperature, dim=1)
    found = F.log_softmax(student / temperature, dim=1)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True) * temperature**2
