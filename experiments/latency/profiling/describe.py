"""A latency table in words: where the time goes, which widths are fast, how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from amc.costs import Macs
from amc.costs.latency import Latency, LatencyTable, fast_counts
from amc.granularity import Rounding
from amc.graph import PruningGraph
from experiments.terminal import duration, milliseconds, percent

LISTED = 12
"""Fast counts of a group that are shown."""


def where(graph: PruningGraph, table: LatencyTable) -> Table:
    """Layers of the unpruned network by their share of the time, beside that of the MACs."""
    latency, macs = Latency(graph, table), Macs(graph)
    seconds, total = latency.per_layer(graph.full), latency(graph.full)
    work = macs.per_layer(graph.full) / macs(graph.full)
    about = {name: table.pieces[piece].about for name, piece in table.calls}
    shown = Table(box=None, pad_edge=False)
    for heading in ("layer", "what runs", "µs", "time", "MACs"):
        shown.add_column(heading, justify="left" if heading in ("layer", "what runs") else "right")
    for row in np.argsort(-seconds, kind="stable").tolist():
        name = graph.layers[row].name
        if name in about:
            numbers = (
                f"{1e6 * seconds[row]:.1f}",
                percent(seconds[row] / total),
                percent(work[row]),
            )
            shown.add_row(Text(name), Text(about[name]), *numbers)
    rest = table.correction.constant
    shown.add_row("", "the pass itself", f"{1e6 * rest:.1f}", percent(rest / total), "")
    return shown


def widths(graph: PruningGraph, table: LatencyTable, rounding: Rounding) -> Table:
    """Kept counts at the edge of a step, group by group."""
    counts = rounding.legal(graph.full)
    shown = Table(box=None, pad_edge=False)
    for heading in ("group", "fast kept counts", "of"):
        shown.add_column(heading, justify="right" if heading == "of" else "left")
    found = fast_counts(graph, Latency(graph, table), counts)
    for group, fast, legal in zip(graph.groups, found, counts, strict=True):
        shown.add_row(Text(group.name), Text(_listed(fast)), str(len(legal)))
    return shown


def _listed(counts: Sequence[int]) -> str:
    words = list(map(str, counts))
    if len(words) > LISTED:
        words = [*words[: LISTED // 2], "...", *words[-LISTED // 2 :]]
    return " ".join(words)


def trust(table: LatencyTable) -> str:
    """How the table was made, and how far its predictions are off."""
    fit, took = table.fit, table.settings.get("took", 0.0)
    lines = [f"{table.network} on {table.device}"]
    lines += [
        f"{table.settings.get('programs', 0):,.0f} programs timed in {duration(took)}; "
        f"{fit.networks} whole networks, each left out of the fit in turn: error "
        f"{percent(fit.median)} in the median, {percent(fit.p90)} at the 90th percentile, rank "
        f"correlation {fit.spearman:.3f}; a network measured twice differs by {percent(fit.noise)}"
    ]
    if typical := table.settings.get("typical"):
        lines.append(
            "times are those of passes that little disturbs, which repeat best; the median of all "
            f"passes of the unpruned network is {milliseconds(typical)}"
        )
    unsteady = table.settings.get("unsteady", 0.0)
    if unsteady > UNSTEADY:
        lines.append(
            f"warning: one program's time went {percent(unsteady)} apart while this was measured; "
            "let the machine do nothing else and profile again"
        )
    return "\n".join(lines)


UNSTEADY = 0.02
"""Of a program's own time: from here on the machine was too busy to be trusted."""


def reach_of(graph: PruningGraph, table: LatencyTable, rounding: Rounding) -> tuple[float, float]:
    """Seconds of the unpruned network, and the least that pruning can bring it to."""
    latency, counts = Latency(graph, table), rounding.legal(graph.full)
    fast = fast_counts(graph, latency, counts)
    return latency(graph.full), latency([legal[0] for legal in fast])
