"""The costs by their short names: one that is written in a file beside this is named here."""

from __future__ import annotations

from amc.costs.base import Costs
from amc.costs.energy import Energy
from amc.costs.macs import Macs
from amc.costs.memory import Memory
from amc.costs.params import Params
from amc.costs.size import Size

COSTS: Costs = {
    "macs": Macs,
    "params": Params,
    "size": Size,
    "memory": Memory,
    "energy": Energy,
}
"""Those that need nothing but the network; short names on the command line and in budgets."""
