"""What a network's answers vary by over all samples, told batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor


class Variation:
    """The mean squared difference of one output from the constant that is nearest to it.

    The constant has a value of its own for each feature: along axes that are as long in every
    batch. Along others, and along the places of a mask, it is the same.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._counts = torch.zeros(())
        self._squares = self._numbers = 0.0

    def add(self, output: Tensor, real: Tensor | None = None) -> None:
        """Take in a batch.

        Args:
            output: (samples, ...).
            real: (samples, places) which places are no padding, where the output has these.
        """
        numbers = output.detach().double().nan_to_num(posinf=0.0, neginf=0.0)
        if numbers.dim() < 2:
            numbers = numbers.reshape(-1, 1)
        here = torch.ones((), dtype=torch.float64).expand_as(numbers)
        if real is not None:
            here = here * over_places(real, numbers)
        numbers = numbers * here
        sums, counts = numbers.sum(0), here.sum(0)
        if real is not None:
            sums, counts = sums.sum(0, keepdim=True), counts.sum(0, keepdim=True)
        self._squares += float(numbers.square().sum())
        self._numbers += float(here.sum())
        self._join(sums, counts)

    def _join(self, sums: Tensor, counts: Tensor) -> None:
        if self._sums is None:
            self._sums, self._counts = sums, counts
            return
        pairs = zip(self._sums.shape, sums.shape, strict=True)
        unlike = [axis for axis, (one, other) in enumerate(pairs) if one != other]
        if unlike:
            sums, counts = (part.sum(unlike, keepdim=True) for part in (sums, counts))
            known = (self._sums, self._counts)
            self._sums, self._counts = (part.sum(unlike, keepdim=True) for part in known)
        self._sums, self._counts = self._sums + sums, self._counts + counts

    @property
    def spread(self) -> float:
        """It; 0 of an output that is always the same, or that was never seen."""
        if self._sums is None or not self._numbers:
            return 0.0
        by_constant = (self._sums.square() / self._counts.clamp_min(1)).sum()
        return max(0.0, self._squares - float(by_constant)) / self._numbers


def over_places(real: Tensor, output: Tensor) -> Tensor:
    """The mask in as many axes as the output has, which begin with those of the mask."""
    shape = tuple(real.shape) + (1,) * (output.dim() - real.dim())
    return real.to(output.device).reshape(shape)


def has_places(real: Tensor | None, output: Tensor) -> bool:
    """Whether an output has the places that a mask tells of."""
    return real is not None and output.shape[: real.dim()] == real.shape


def without_padding(real: Tensor | None, output: Tensor) -> Tensor:
    """The output with zeros in places that are padding, where it has places."""
    if real is None or not has_places(real, output) or not output.is_floating_point():
        return output
    return output.masked_fill(~over_places(real, output), 0)
