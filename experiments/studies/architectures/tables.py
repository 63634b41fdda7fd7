"""The rows as a table for the page, and what of them is not as promised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from experiments.studies.architectures.measuring import Row
from experiments.studies.markdown import markdown
from experiments.studies.pages import put

PAGE = Path("docs/architectures.md")
OFF = 0.005
"""Largest difference from PyTorch's counter, as a part of the unpruned MACs."""


LONGEST = 180
"""Characters of an error in the table."""

FREE = 0.9
"""Part of the parameters that should be in layers whose outputs can be cut."""


def summary(rows: Sequence[Row]) -> str:
    """How many networks keep to what is promised, in a few sentences."""
    exact = sum(row.off is not None and not failures([row]) for row in rows)
    free = sum((row.free or 0) >= FREE for row in rows)
    told = [row for row in rows if row.traced is not None]
    if not told:
        return "No network could be traced."
    quick = sum(row.of_bar <= 1 for row in told)
    slow = sorted(told, key=lambda row: -(row.traced or 0))[:3]
    slowest = ", ".join(f"{row.name} {row.traced:.0f} s" for row in slow)
    return (
        f"Of {len(rows)} networks {exact} are counted exactly, unpruned and at random policies. Of "
        f"{free} at least nine tenths of the parameters are free. {quick} are traced in 2 s and "
        f"the time of twenty forward passes (*of bar* at most 1); the median is "
        f"{median(row.traced or 0 for row in told):.1f} s, the slowest are {slowest}."
    )


def table(rows: Sequence[Row]) -> str:
    """One line a network; with a column for the peer where it was tried."""
    peer = any(row.peer is not None or row.peer_error for row in rows)
    heads = ["name", "parameters", "MACs", "seen", "free", "branches", "left"]
    heads += ["traced", "of bar"]
    heads += ["torch-pruning"] if peer else []
    return markdown([*heads, "what stays, or goes wrong"], [_cells(row, peer) for row in rows])


def _cells(row: Row, peer: bool) -> list[str]:
    whole = (f"{share:.0%} {reason}" for reason, share in row.whole if share > 0.03)
    return [
        row.name,
        f"{row.params / 1e6:.1f}M",
        f"{row.macs / 1e9:.2f}G",
        _part(row.seen),
        _part(row.free),
        str(row.branches),
        _part(row.left),
        "–" if row.traced is None else f"{row.traced:.1f} s",
        "–" if row.traced is None else f"{row.of_bar:.2f}",
        *([_part(row.peer)] if peer else []),
        row.error[:LONGEST] or "; ".join(whole),
    ]


def _part(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def failures(rows: Sequence[Row]) -> list[str]:
    """What does not keep to the bar, a line each."""
    wrong = [f"{row.name}: {row.error}" for row in rows if row.error]
    for row in rows:
        if row.seen is not None and abs(row.seen - 1) > OFF:
            wrong.append(f"{row.name}: {row.seen:.3f} of the MACs are seen")
        if row.off is not None and row.off > OFF:
            wrong.append(f"{row.name}: after pruning the count is off by {row.off:.3f}")
    return wrong


def write_docs(rows: Sequence[Row]) -> None:
    """Put the table and its summary into the page."""
    put(PAGE, "architectures", f"{summary(rows)}\n\n{table(rows)}")
