"""What a network costs, as pure functions of its groups' kept counts: one file a resource."""

from amc.costs.base import Cost, Costs, costs_of
from amc.costs.connections import kept_weights
from amc.costs.energy import NM45, Energy, Technology
from amc.costs.known import COSTS, MODELLED
from amc.costs.limits import BudgetError, Limit, Limits
from amc.costs.macs import Macs
from amc.costs.memory import Memory
from amc.costs.params import Params
from amc.costs.size import Size, Stored
from amc.costs.volumes import Amounts

__all__ = [
    "COSTS",
    "MODELLED",
    "NM45",
    "Amounts",
    "BudgetError",
    "Cost",
    "Costs",
    "Energy",
    "Limit",
    "Limits",
    "Macs",
    "Memory",
    "Params",
    "Size",
    "Stored",
    "Technology",
    "costs_of",
    "kept_weights",
]
