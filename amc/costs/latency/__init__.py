"""Latency: measured where the network will run, predicted at all kept counts."""

from amc.costs.latency.cost import Latency
from amc.costs.latency.fast import fast_counts
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
from amc.costs.latency.widths import Reach, reach

__all__ = [
    "Correction",
    "Device",
    "Fit",
    "Latency",
    "LatencyTable",
    "LatencyTableError",
    "Piece",
    "Point",
    "Reach",
    "fast_counts",
    "knots",
    "reach",
    "skeleton",
]
