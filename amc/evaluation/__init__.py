"""A candidate's score: the fast path, and races."""

from amc.evaluation.preparing import BATCH, batch_for, laid_out, make_ready
from amc.evaluation.racing import ByHits, ByMeans, Measured, Race, Rule
from amc.evaluation.recalibrating import recalibrate
from amc.evaluation.scoring import (
    fast_numbers,
    fast_score,
    may_be_half,
    numbers,
    ready_score,
    score,
    with_answers,
)
from amc.evaluation.trying import try_unpruned

__all__ = [
    "BATCH",
    "ByHits",
    "ByMeans",
    "Measured",
    "Race",
    "Rule",
    "batch_for",
    "fast_numbers",
    "fast_score",
    "laid_out",
    "make_ready",
    "may_be_half",
    "numbers",
    "ready_score",
    "recalibrate",
    "score",
    "try_unpruned",
    "with_answers",
]
