"""Whether the fast path is right: its accuracies against those of the float32 path."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from amc.evaluation import accuracy
from experiments.markdown import markdown
from experiments.speed.cases import Case
from experiments.speed.policies import random_policies


def right(case: Case, policies: int) -> dict[str, Any]:
    """Measure random policies on both paths, print how far they differ, and return it.

    The slow path is the pruned network itself: nothing folded, in float32.

    Args:
        case: The network.
        policies: How many.
    """
    problem = case.problem()
    fast, slow = [], []
    for kept in random_policies(problem, policies, seed=0):
        fast.append(problem.evaluate(kept).accuracy)
        slow.append(accuracy(problem.network(kept), problem.holdout))
    away = np.abs(np.subtract(fast, slow))
    found = {
        "policies": policies,
        "largest_difference": float(away.max()),
        "mean_difference": float(away.mean()),
        "spearman": float(stats.spearmanr(fast, slow).statistic),
        "range": [min(slow), max(slow)],
    }
    cells = [
        f"{policies}",
        f"{min(slow):.3f} to {max(slow):.3f}",
        f"{found['largest_difference']:.4f}",
        f"{found['mean_difference']:.5f}",
        f"{found['spearman']:.4f}",
    ]
    heads = ["policies", "accuracies", "largest difference", "mean difference", "Spearman"]
    print(markdown(heads, [cells]) + "\n", flush=True)
    return {"right": found}
