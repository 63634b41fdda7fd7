"""What rules say that cannot work without a budget."""

from __future__ import annotations

from amc.costs import Limits


def check_budget(limits: Limits, rule: str) -> None:
    """Refuse limits without a budget.

    Raises:
        ValueError: if there is none.
    """
    if not limits.items:
        raise ValueError(f"{rule} needs a budget to come down to; give one, such as macs=0.5")
