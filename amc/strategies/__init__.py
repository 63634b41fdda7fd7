"""Ways to search, by their short names; those here need no agent.

A strategy is a class with `search(problem, seed)` (`amc.problem.Strategy`).
"""

from amc.strategies.cma_es import CmaEs
from amc.strategies.known import DEFAULT, STRATEGIES, make_strategy
from amc.strategies.random_search import RandomSearch
from amc.strategies.tpe import TPE

__all__ = ["DEFAULT", "STRATEGIES", "TPE", "CmaEs", "RandomSearch", "make_strategy"]
