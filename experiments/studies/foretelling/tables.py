"""How well each look ranks policies, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from experiments.studies.markdown import markdown
from experiments.terminal import duration

Row = Mapping[str, Any]
Numbers = NDArray[np.float64]

UNIFORM = "uniform"


@dataclass(frozen=True)
class Looked:
    """All policies of one cell.

    Args:
        name: Of the cell.
        rows: Of the file, one for each policy.
    """

    name: str
    rows: tuple[Row, ...]

    @property
    def looks(self) -> tuple[str, ...]:
        """Names of what was looked at."""
        return tuple(self.rows[0]["signals"])

    @property
    def final(self) -> Numbers:
        """(policies, seeds) scores on test pictures after the whole fine-tuning."""
        return np.array([[one["test"] for one in row["finals"]] for row in self.rows])

    def values(self, look: str) -> Numbers:
        """(policies,) what a look says."""
        return np.array([row["signals"][look]["value"] for row in self.rows])

    def seconds(self, look: str) -> float:
        """That it takes for one policy."""
        return float(np.mean([row["signals"][look]["seconds"] for row in self.rows]))

    def correlation(self, look: str) -> float:
        """Spearman's, with the score after the whole fine-tuning."""
        return _ranked(self.values(look), self.final.mean(1))

    def gain(self, look: str) -> float:
        """Of the policy that it puts first, on what uniform ratios have after fine-tuning."""
        chosen = int(np.argmax(self.values(look)))
        return float(self.final.mean(1)[chosen]) - self.uniform

    @property
    def uniform(self) -> float:
        """The score of uniform ratios after fine-tuning."""
        found = [row["origin"] == UNIFORM for row in self.rows]
        return float(self.final.mean(1)[found].mean())

    @property
    def ceiling(self) -> float:
        """How well one seed of the whole fine-tuning ranks as another does; NaN of a single one."""
        final = self.final
        return _ranked(final[:, 0], final[:, 1]) if final.shape[1] > 1 else float("nan")

    @property
    def about(self) -> str:
        """What there was to choose from, in a sentence."""
        final = self.final.mean(1)
        spread = (
            f"{final.min():.4f} to {final.max():.4f}, with a deviation of {final.std(ddof=1):.4f}"
        )
        seconds = np.mean([one["seconds"] for row in self.rows for one in row["finals"]])
        return (
            f"{self.name}: {len(final)} policies have {spread}, after fine-tuning of "
            f"{duration(float(seconds))} each; uniform ratios have {self.uniform:.4f}."
        )


def _ranked(one: Numbers, other: Numbers) -> float:
    return float(stats.spearmanr(one, other).statistic)


def looked(rows: Iterable[Row], cells: Sequence[tuple[str, str]]) -> list[Looked]:
    """The cells that have been looked at.

    Args:
        rows: Of the file.
        cells: Networks and budgets, in the order in which they are shown.
    """
    kept = list(rows)
    sorted_out = (
        Looked(
            f"{network} at {budget}",
            tuple(row for row in kept if (row["network"], row["budget"]) == (network, budget)),
        )
        for network, budget in cells
    )
    return [one for one in sorted_out if len(one.rows) > 2]


def tables(found: Sequence[Looked]) -> str:
    """One row for each look: its rank correlation, and what choosing by it gains, in each cell."""
    if not found:
        return "Nothing was measured yet."
    heads = ["what is looked at", *(f"{one.name}: rank, gain" for one in found), "seconds"]
    lines = [
        [
            look,
            *(f"{one.correlation(look):.2f}, {one.gain(look):+.4f}" for one in found),
            duration(float(np.mean([one.seconds(look) for one in found]))),
        ]
        for look in found[0].looks
    ]
    ceiling = ["one more seed of the whole", *(f"{one.ceiling:.2f}" for one in found), ""]
    machines = dict.fromkeys(row["machine"] for one in found for row in one.rows)
    abouts = [one.about for one in found]
    return "\n\n".join([markdown(heads, [*lines, ceiling]), *abouts, f"{'; '.join(machines)}."])
