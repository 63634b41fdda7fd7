"""Whether the fast path is right: its accuracies against those of the float32 path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from experiments.studies.accuracies import accuracy, held_out
from experiments.studies.markdown import markdown
from experiments.studies.speed.cases import Case
from experiments.studies.speed.policies import random_policies


def right(case: Case, policies: int) -> dict[str, Any]:
    """Measure random policies on both paths, and return how far they differ.

    The slow path is the pruned network itself: nothing folded, in float32.

    Args:
        case: The network.
        policies: How many.
    """
    problem = case.problem()
    fast, slow = [], []
    for kept in random_policies(problem, policies, seed=0):
        fast.append(problem.evaluate(kept).score)
        slow.append(accuracy(problem.network(kept), held_out(problem)))
    away = np.abs(np.subtract(fast, slow))
    found = {
        "policies": policies,
        "largest_difference": float(away.max()),
        "mean_difference": float(away.mean()),
        "spearman": float(stats.spearmanr(fast, slow).statistic),
        "range": [min(slow), max(slow)],
    }
    return {"right": found}


def table(found: Mapping[str, Any]) -> str:
    """What `right` found, in Markdown."""
    own = found["right"]
    cells = [
        f"{own['policies']}",
        f"{own['range'][0]:.3f} to {own['range'][1]:.3f}",
        f"{own['largest_difference']:.4f}",
        f"{own['mean_difference']:.5f}",
        f"{own['spearman']:.4f}",
    ]
    heads = ["policies", "accuracies", "largest difference", "mean difference", "Spearman"]
    return markdown(heads, [cells])
