"""Searches for ratios that need no agent."""

from amc.strategies.samplers import TPE, CmaEs, RandomSearch

__all__ = ["TPE", "CmaEs", "RandomSearch"]
