"""Agents that answer the pruning environment, on stable-baselines3."""

from agents.ddpg import AmcDDPG
from agents.settings import Settings
from agents.strategy import DDPGSearch
from agents.walker import ALGORITHMS, is_algorithm

__all__ = ["ALGORITHMS", "AmcDDPG", "DDPGSearch", "Settings", "is_algorithm"]
