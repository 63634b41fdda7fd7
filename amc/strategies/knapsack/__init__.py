"""Exact choices under a model of what each costs and loses, whose weights are searched."""

from amc.strategies.knapsack.strategy import Knapsack

__all__ = ["Knapsack"]
