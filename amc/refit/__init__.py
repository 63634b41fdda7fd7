"""Least-squares refit of layers that lost inputs, from moments collected once."""

from amc.refit.moments import POSITIONS, Moment, Moments, refittable
from amc.refit.reconstruction import (
    RIDGE,
    Equations,
    Reconstruction,
    Refit,
    refit_layers,
    unexplained,
)
from amc.refit.sampling import patches
from amc.refit.zeros import zeroed

__all__ = [
    "POSITIONS",
    "RIDGE",
    "Equations",
    "Moment",
    "Moments",
    "Reconstruction",
    "Refit",
    "patches",
    "refit_layers",
    "refittable",
    "unexplained",
    "zeroed",
]
