"""Which units go first: one file an idea; a higher score means keep."""

from amc.criteria.base import Asked, Criterion
from amc.criteria.ranking import KeptUnits, best_units, scores, weight_scores
from amc.criteria.table import CRITERIA, criterion

__all__ = [
    "CRITERIA",
    "Asked",
    "Criterion",
    "KeptUnits",
    "best_units",
    "criterion",
    "scores",
    "weight_scores",
]
