"""What a network's answers vary by over all samples, told batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor

from amc.tasks.padding import Masked

FAR = 1e3
"""How many times beyond all other numbers one stands that fills in for what must not be chosen."""


class Variation:
    """The mean squared difference of one output from the constant that is nearest to it.

    The constant has a value of its own for each feature: along axes that are as long in every
    batch. Along others, and along the places of a mask, it is the same.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._counts = torch.zeros(())
        self._squares = self._numbers = 0.0

    def add(self, output: Tensor, padding: Masked | None = None) -> None:
        """Take in a batch.

        Args:
            output: (samples, ...).
            padding: It, and which of it is no padding.
        """
        numbers = (output if padding is None else padding.numbers).detach().double()
        if numbers.dim() < 2:
            numbers = numbers.reshape(-1, 1)
        here = telling(numbers)
        if padding is not None:
            here = here & padding.real
        numbers = torch.where(here, numbers, 0.0)
        sums, counts = numbers.sum(0), here.double().sum(0)
        if padding is not None:
            along = padding.axis - 1
            sums, counts = sums.sum(along, keepdim=True), counts.sum(along, keepdim=True)
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


def telling(output: Tensor) -> Tensor:
    """Which numbers of an output tell something, as booleans of its shape.

    Not infinities, nor what stands in their place, as -1e9 does where a choice is forbidden:
    numbers far below all others.
    """
    finite = torch.isfinite(output)
    numbers = output[finite]
    if not len(numbers) or not output.is_floating_point():
        return finite
    least = numbers.min()
    others = numbers[numbers >= least / 2]
    filled = len(others) and least < -FAR * (1 + others.abs().max())
    return finite & (output >= least / 2) if filled else finite
