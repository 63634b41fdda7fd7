"""Which units go first: one file an idea; a higher score means keep."""

from amc.criteria.base import Asked, Criterion
from amc.criteria.gradients import by_change
from amc.criteria.known import CRITERIA, criterion
from amc.criteria.ranking import best_units, scores, weight_scores

__all__ = [
    "CRITERIA",
    "Asked",
    "Criterion",
    "best_units",
    "by_change",
    "criterion",
    "scores",
    "weight_scores",
]
