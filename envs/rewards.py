"""What an episode earns (He et al., 2018, 3.4): a function of its outcome alone.

`error` goes with a budget: the bound on the actions takes care of it. The other two go without one
and let the agent weigh accuracy against size ("accuracy-guaranteed compression").
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amc.problem import Outcome

Reward = Callable[[Outcome], float]


def error(outcome: Outcome) -> float:
    """R_err = -Error, in [-1, 0]."""
    return -(1 - outcome.accuracy)


def flops(outcome: Outcome) -> float:
    """R_FLOPs = -Error * log(FLOPs); FLOPs are twice the MACs."""
    return -(1 - outcome.accuracy) * math.log(2 * outcome.costs["macs"])


def params(outcome: Outcome) -> float:
    """R_Param = -Error * log(#Param)."""
    return -(1 - outcome.accuracy) * math.log(outcome.costs["params"])


REWARDS: dict[str, Reward] = {"error": error, "flops": flops, "params": params}
"""Short names."""
