"""What a network costs, as pure functions of its groups' kept counts: one file a resource."""

from __future__ import annotations

from collections.abc import Callable

from amc.costs.base import Cost
from amc.costs.limits import BudgetError, Limit, Limits
from amc.costs.macs import Macs
from amc.costs.params import Params
from amc.costs.size import Size, Stored
from amc.structure import PruningGraph

COSTS: dict[str, Callable[[PruningGraph], Cost]] = {
    "macs": Macs,
    "params": Params,
    "size": Size,
}
"""Short names on the command line and in budgets."""

__all__ = ["COSTS", "BudgetError", "Cost", "Limit", "Limits", "Macs", "Params", "Size", "Stored"]
