"""How far predictions may be off, for a table to be trusted."""

from __future__ import annotations

from collections.abc import Mapping

BARS = {"median": 0.05, "p90": 0.10, "spearman": 0.97}
"""Errors at most, and the rank correlation at least."""


def missed(fit: Mapping[str, float]) -> dict[str, str]:
    """The bars that a fit does not meet, each with its words."""
    return {
        bar: f"{bar} {fit[bar]:.3f}, not {limit}"
        for bar, limit in BARS.items()
        if not (fit[bar] >= limit if bar == "spearman" else fit[bar] <= limit)
    }
