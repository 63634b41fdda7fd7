"""In how many stages, and how fast, a network is pruned when it is fine-tuned in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from amc.granularity import Rounding
from amc.graph import Kept
from amc.parsing import check, look_up

KINDS: dict[str, Callable[[float], float]] = {
    "one-shot": lambda rest: 0.0,
    "linear": lambda rest: rest,
    "cubic": lambda rest: rest**3,
}
"""From the fraction of the stages still to come to the fraction of the pruning still to come."""


@dataclass(frozen=True)
class Schedule:
    """How the pruning is spread over stages, each of which is fine-tuned.

    After stage t of n the sparsity of a group is s_f + (s_i - s_f) (1 - t/n)^p: p = 1 is linear;
    p = 3, cubic, takes much at first and little at the end (Zhu and Gupta, "To prune, or not to
    prune", 2017).

    Args:
        kind: "one-shot", "linear" or "cubic".
        stages: Of a linear or cubic schedule, n; one-shot has 1.
        final_share: Fraction of the gradient steps that the last stage gets, in [0, 1]; 0 gives all
            stages the same.

    Raises:
        LookupError: if there is no such kind.
        ValueError: if a number is out of range.
    """

    kind: str = "one-shot"
    stages: int = 4
    final_share: float = 0.0

    def __post_init__(self) -> None:
        look_up(KINDS, self.kind, "schedule")
        share = self.final_share
        check("schedule", "stages", self.stages, self.stages >= 1, "1 or more")
        check("schedule", "final_share", share, 0 <= share <= 1, "from 0 to 1")

    @property
    def count(self) -> int:
        """How many stages there really are."""
        return 1 if self.kind == "one-shot" else self.stages

    def kept(
        self,
        start: Sequence[int],
        target: Sequence[int],
        full: Sequence[int] | None = None,
        rounding: Rounding | None = None,
    ) -> tuple[Kept, ...]:
        """Kept counts after each stage: never rising, and `target` at the end.

        Args:
            start: Kept counts to begin with, per group.
            target: Those wanted, at most `start`.
            full: Units of the unpruned groups, which `rounding` reads; `start` if left out.
            rounding: Brings counts to legal ones; None allows every count.

        Raises:
            ValueError: if the target does not lie from 0 to the start in every group.
        """
        if len(start) != len(target) or any(
            not 0 <= last <= first for first, last in zip(start, target, strict=False)
        ):
            raise ValueError(
                f"schedule: from {tuple(start)} kept units to {tuple(target)}; "
                "every group must end with 0 or more, and with no more than it has"
            )
        units = start if full is None else full
        columns = [
            self._column(*group, rounding) for group in zip(start, target, units, strict=True)
        ]
        return tuple(zip(*columns, strict=True)) if columns else ((),) * self.count

    def _column(self, start: int, target: int, units: int, rounding: Rounding | None) -> Kept:
        """Counts of one group after each stage."""
        found, before = [], start
        for stage in range(1, self.count + 1):
            left = KINDS[self.kind](1 - stage / self.count)
            count = round(target + (start - target) * left)
            if rounding is not None and count:
                count = rounding.nearest(units, 1 - count / units)
            before = target if stage == self.count else max(target, min(before, count))
            found.append(before)
        return tuple(found)

    def steps(self, total: int) -> tuple[int, ...]:
        """`total` gradient steps shared out over the stages."""
        count, last = self.count, self.final_share or 1 / self.count
        if count == 1:
            return (total,)
        ends = [round(total * (1 - last) * stage / (count - 1)) for stage in range(count)]
        return tuple(b - a for a, b in zip(ends, [*ends[1:], total], strict=True))
