"""Latency: measured where the network will run, predicted at all kept counts."""

from amc.costs.latency.blocks import in_blocks, usual_counts, within_reach
from amc.costs.latency.cost import LATENCY, Latency
from amc.costs.latency.fast import by_table, fast_counts
from amc.costs.latency.interpolation import knots, skeleton
from amc.costs.latency.latency_table import (
    Correction,
    Device,
    Fit,
    LatencyTable,
    LatencyTableError,
    Piece,
    Point,
)
from amc.costs.latency.measured import measured_counts
from amc.costs.latency.widths import Reach, reach

__all__ = [
    "LATENCY",
    "Correction",
    "Device",
    "Fit",
    "Latency",
    "LatencyTable",
    "LatencyTableError",
    "Piece",
    "Point",
    "Reach",
    "by_table",
    "fast_counts",
    "in_blocks",
    "knots",
    "measured_counts",
    "reach",
    "skeleton",
    "usual_counts",
    "within_reach",
]
