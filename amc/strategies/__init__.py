"""Searches for ratios that need no agent; one is a class with `search(problem, seed)`."""

from amc.strategies.cma_es import CmaEs
from amc.strategies.random_search import RandomSearch
from amc.strategies.tpe import TPE

__all__ = ["TPE", "CmaEs", "RandomSearch"]
