"""What a task's number is: its name, its unit, and which way is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

from amc.tasks.own_code import TaskError

MOST = 1e100
"""What scores are at most, and what a metric that comes to no number counts as; pictures and sums
of them stay within what a number can hold."""


@dataclass(frozen=True)
class Score:
    """The number that a task gives to a network.

    Args:
        name: What tables and pictures call it: "accuracy", "mean IoU", "perplexity".
        unit: Behind its values, such as "dB"; empty where it has none.
        higher_is_better: False of errors, losses and perplexities.
        bounds: The lowest and the highest that it can be; None where it has none.
        about: How it is measured, in a sentence; empty where the name says it.

    Raises:
        ValueError: if the bounds are not two finite numbers in ascending order.
    """

    name: str = "score"
    unit: str = ""
    higher_is_better: bool = True
    bounds: tuple[float, float] | None = None
    about: str = ""

    def __post_init__(self) -> None:
        if self.bounds is not None:
            low, high = self.bounds
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(
                    f"score {self.name!r}: bounds are {self.bounds}; give the lowest and the "
                    "highest that it can be, or None"
                )

    @property
    def sign(self) -> int:
        """What values are multiplied by so that higher ones are better: 1 or -1."""
        return 1 if self.higher_is_better else -1

    def better(self, one: float, other: float) -> bool:
        """Whether the first of two values is the better one; not where they are equal."""
        return one > other if self.higher_is_better else one < other

    def merit(self, value: float, unpruned: float | None) -> float:
        """A value on the scale that searches go by: from 0, the worst, to 1; higher is better.

        Of a score with bounds, where between them it lies: an accuracy is its own merit. Of one
        without, by how much it is worse than the unpruned network's, as a part of that: 1/2 where
        it is as good, 0.3 where it is worse by as much again, 0.15 by ten times as much. That falls
        with the logarithm, so that no order is changed however far values are from the unpruned
        network's, be that 0.

        Args:
            value: The score.
            unpruned: That of the unpruned network; a score with bounds does not need it.
        """
        if self.bounds is not None:
            low, high = self.bounds
            part = (value - low) / (high - low)
            return part if self.higher_is_better else 1 - part
        assert unpruned is not None
        worse = unpruned - value if self.higher_is_better else value - unpruned
        lost = worse / max(abs(unpruned), 1e-12)
        short = 0.5 / (1 + math.log1p(abs(lost)))
        return short if lost > 0 else 1 - short

    def worst(self, unpruned: float | None) -> float:
        """A value that no network falls below: a bound, or a million times what is lost of it all.

        Args:
            unpruned: As `merit` takes it.
        """
        if self.bounds is not None:
            return self.bounds[0] if self.higher_is_better else self.bounds[1]
        assert unpruned is not None
        lost = 1e6 * max(abs(unpruned), 1e-12)
        return unpruned - lost if self.higher_is_better else unpruned + lost

    @property
    def needs_unpruned(self) -> bool:
        """Whether merits are relative to the unpruned network's score."""
        return self.bounds is None

    def check(self, value: object, whose: str) -> float:
        """The value as a finite number within the bounds.

        Raises:
            TaskError: if it is none; names whose score it is.
        """
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise TaskError(
                f"{self.name}: {whose} gave {_shown(value)}; return one number"
            ) from None
        if not math.isfinite(number):
            raise TaskError(
                f"{self.name}: {whose} gave {number}; return a finite number, where it cannot be "
                "told the worst that it can be"
            )
        if abs(number) > MOST:
            raise TaskError(
                f"{self.name}: {whose} gave {number:g}; scores go up to {MOST:g}, so return it on "
                "another scale, or its logarithm"
            )
        if self.bounds is not None and not self.bounds[0] <= number <= self.bounds[1]:
            low, high = self.bounds
            raise TaskError(
                f"{self.name}: {whose} gave {number:g}, which is not from {low:g} to {high:g}; "
                "mend the score or its bounds"
            )
        return number


def _shown(value: object) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if shape else "")
