"""The pictures of studies, as SVG files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def svg_figure(path: Path, *panels: int, size: tuple[float, float]) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes, (rows, columns) of them, written when the block ends.

    Text stays text, and there is no time stamp: the same drawing gives the same file.

    Args:
        path: File to write.
        panels: Rows and columns; one panel if left out.
        size: Inches.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows, columns = panels or (1, 1)
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "amc"}):
        figure, axes = pyplot.subplots(
            rows, columns, figsize=size, layout="constrained", squeeze=False
        )
        try:
            yield figure, axes
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata={"Date": None})
        finally:
            pyplot.close(figure)
