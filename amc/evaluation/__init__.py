"""A candidate's score: the fast path, and races."""

from amc.evaluation.racing import Measured, Race
from amc.evaluation.scoring import (
    BATCH,
    accuracy,
    batch_for,
    fast_accuracy,
    fast_hits,
    fast_margins,
    hits,
    laid_out,
    make_ready,
    recalibrate,
)

__all__ = [
    "BATCH",
    "Measured",
    "Race",
    "accuracy",
    "batch_for",
    "fast_accuracy",
    "fast_hits",
    "fast_margins",
    "hits",
    "laid_out",
    "make_ready",
    "recalibrate",
]
