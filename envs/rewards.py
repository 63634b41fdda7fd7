"""What an episode earns (He et al., 2018, 3.4): a function of its outcome alone.

`error` goes with a budget: the bound on the actions takes care of it. The others go without one and
let the agent weigh accuracy against a cost ("accuracy-guaranteed compression"). The paper has
R_FLOPs and R_Param; those for further costs have the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amc.history import Outcome
from amc.parsing import look_up

Reward = Callable[[Outcome], float]


def error(outcome: Outcome) -> float:
    """R_err = -Error, in [-1, 0]."""
    return -(1 - outcome.merit)


def weigh(cost: str, each: float = 1) -> Reward:
    """R = -Error * log(cost), with the cost in units of `each`, small enough for a log above 0.

    It raises a LookupError for an outcome that does not tell the cost.
    """

    def reward(outcome: Outcome) -> float:
        return error(outcome) * math.log(look_up(outcome.costs, cost, "cost") / each)

    return reward


REWARDS: dict[str, Reward] = {
    "error": error,
    "flops": weigh("macs", each=0.5),  # a multiply-accumulate is two operations
    "params": weigh("params"),
    "size": weigh("size"),
    "memory": weigh("memory"),
    "energy": weigh("energy", each=1e-12),  # picojoules: about one operation
    "latency": weigh("latency", each=1e-9),  # nanoseconds
}
"""Short names."""
