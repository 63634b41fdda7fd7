"""Ways to search, by their short names; those here need no agent.

A strategy is a class with `search(problem, seed)` (`amc.problem.Strategy`). Each is imported when
it is asked for, as a network is cut and loaded without what only searches need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amc.parsing import on_demand
from amc.strategies.known import DEFAULT, STRATEGIES, make_strategy

if TYPE_CHECKING:
    from amc.strategies.cma_es import CmaEs
    from amc.strategies.evolution import Evolution
    from amc.strategies.front import Front, best_within
    from amc.strategies.knapsack import Knapsack
    from amc.strategies.missed import Missed
    from amc.strategies.mutation import around
    from amc.strategies.optuna_samplers import GP, TPE
    from amc.strategies.proposals import IDLE
    from amc.strategies.random_search import RandomSearch
    from amc.strategies.residual_gp import ResidualGP
    from amc.strategies.surrogate import Surrogate

_PLACES = {
    "cma_es": ("CmaEs",),
    "evolution": ("Evolution",),
    "front": ("Front", "best_within"),
    "knapsack": ("Knapsack",),
    "missed": ("Missed",),
    "mutation": ("around",),
    "optuna_samplers": ("GP", "TPE"),
    "proposals": ("IDLE",),
    "random_search": ("RandomSearch",),
    "residual_gp": ("ResidualGP",),
    "surrogate": ("Surrogate",),
}

__all__ = [
    "DEFAULT",
    "GP",
    "IDLE",
    "STRATEGIES",
    "TPE",
    "CmaEs",
    "Evolution",
    "Front",
    "Knapsack",
    "Missed",
    "RandomSearch",
    "ResidualGP",
    "Surrogate",
    "around",
    "best_within",
    "make_strategy",
]

__getattr__ = on_demand("amc.strategies", _PLACES)
