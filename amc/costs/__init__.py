"""What a network costs, as pure functions of its groups' kept counts: one file a resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amc.costs.base import Cost
from amc.costs.limits import BudgetError, Limit, Limits
from amc.costs.macs import Macs
from amc.costs.params import Params
from amc.costs.size import Size, Stored
from amc.structure import PruningGraph

Costs = Mapping[str, Callable[[PruningGraph], Cost]]
"""By short name, what makes a cost for a network."""

COSTS: Costs = {
    "macs": Macs,
    "params": Params,
    "size": Size,
}
"""Those that need nothing but the network; short names on the command line and in budgets."""

__all__ = ["COSTS", "BudgetError", "Cost", "Limit", "Limits", "Macs", "Params", "Size", "Stored"]
