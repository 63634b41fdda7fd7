"""The costs by their short names: one that is written in a file beside this is named here."""

from __future__ import annotations

from collections.abc import Mapping

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

MODELLED: Mapping[str, str] = {
    "energy": "energy is a formula and no measurement: multiplications, additions and words moved "
    "at a 45 nm process's joules, every tensor once (docs/costs.md)",
    "memory": "memory is what PyTorch's operations, one by one and without gradients, hold at "
    "their worst moment; workspaces inside of one, and the plan of another runtime, are not in it: "
    "over 20 networks PyTorch took as much within 1%, onnxruntime within 6%, in the median "
    "(docs/costs.md)",
}
"""Of costs that no clock and no counter tells, what they are, in a sentence without a period."""
