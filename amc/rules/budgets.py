"""What rules say that cannot work without a budget."""

from __future__ import annotations

from amc.problem import Problem


def check_budget(problem: Problem, rule: str) -> None:
    """Refuse a problem without a budget.

    Raises:
        ValueError: if there is none.
    """
    if not problem.limits.items:
        raise ValueError(f"{rule} needs a budget to come down to; give one, such as macs=0.5")
