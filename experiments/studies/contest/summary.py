"""What a contest's records come to: means with intervals, and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.statistics import Mean, half_difference
from experiments.studies.contest.searching import Record
from experiments.studies.contest.study import OURS, RIVALS, Study

Images = Literal["other", "accuracy"]
"""The field of a record that is compared: on other images, or on those of the search."""

EQUAL = 0.003
"""How far below a rival's a mean may lie and still count as equal, where the intervals overlap."""


@dataclass(frozen=True)
class Verdict:
    """How one contender stands in one cell against its rivals.

    Args:
        cell: Network and budget.
        asked: Evaluations.
        ours: Its mean.
        rivals: Theirs, by label.
    """

    cell: tuple[str, str]
    asked: int
    ours: Mean
    rivals: dict[str, Mean]

    @property
    def best_rival(self) -> str:
        """The rival with the higher mean."""
        return max(self.rivals, key=lambda name: self.rivals[name].mean)

    @property
    def difference(self) -> float:
        """Our mean less the best rival's."""
        return self.ours.mean - self.rivals[self.best_rival].mean

    @property
    def half(self) -> float:
        """Half the width of the 95% interval of that difference; NaN for a single seed."""
        return half_difference(self.ours.values, self.rivals[self.best_rival].values)

    @property
    def as_good(self) -> bool:
        """At least as good as the best rival, with what counts as equal."""
        alike = not self.ours.apart(self.rivals[self.best_rival])
        return self.difference >= 0 or (alike and self.difference >= -EQUAL)

    @property
    def higher(self) -> bool:
        """A higher mean than all rivals."""
        return self.difference > 0

    @property
    def better(self) -> bool:
        """Higher than all rivals, each by more than the 95% interval of the difference."""
        return all(
            self.ours.mean - rival.mean > half_difference(self.ours.values, rival.values)
            for rival in self.rivals.values()
        )


def records_of(
    records: Sequence[Record], cell: tuple[str, str], label: str, asked: int
) -> list[Record]:
    """Of one contender in one cell, by seed; what a rule found counts at any number."""
    found = (
        record
        for record in records
        if (record.network, record.budget) == cell
        and record.contender == label
        and record.asked in (asked, 0)
    )
    return sorted(found, key=lambda record: record.seed)


def verdicts(study: Study, records: Sequence[Record], images: Images) -> list[Verdict]:
    """One for each cell and number of evaluations in which ours and a rival have records."""
    made = []
    for asked in sorted(study.evaluations):
        for cell in study.cells:
            found = {name: records_of(records, cell, name, asked) for name in (OURS, *RIVALS)}
            means = {name: mean(runs, images) for name, runs in found.items() if runs}
            if OURS in means and len(means) > 1:
                made.append(Verdict(cell, asked, means.pop(OURS), means))
    return made


def mean(records: Sequence[Record], images: Images) -> Mean:
    """Over the seeds."""
    return Mean.of(getattr(record, images) for record in records)


def heights(record: Record, length: int) -> NDArray[np.float64]:
    """(length,) best accuracy after each evaluation; NaN before the first within the budget.

    A search that ends before has what it had.
    """
    reached = np.full(length, np.nan)
    for number, accuracy in record.curve:
        reached[number - 1 :] = accuracy
    return reached
