"""Agents that answer the pruning environment, on stable-baselines3."""

from agents.ddpg import AmcDDPG, Settings
from agents.strategy import DDPGSearch

__all__ = ["AmcDDPG", "DDPGSearch", "Settings"]
