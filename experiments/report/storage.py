"""What masked layers take in each sparse format, as the rows of a table."""

from __future__ import annotations

from amc.costs import Stored
from experiments.report.comparison import Run

Rows = tuple[str, list[str], tuple[Stored, ...], Stored]


def stored_rows(run: Run) -> Rows:
    """The run's label, its formats, its layers, and their sum."""
    layers = run.result.stored
    formats = list(layers[0].bytes)
    total = Stored(
        "",
        sum(layer.weights for layer in layers),
        sum(layer.kept for layer in layers),
        {name: sum(layer.bytes[name] for layer in layers) for name in formats},
    )
    return run.label, formats, layers, total
