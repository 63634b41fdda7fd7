"""Agents that answer the pruning environment, on stable-baselines3."""

from agents.ddpg import AmcDDPG
from agents.reward_model import RewardModel
from agents.settings import Settings
from agents.strategy import DDPGSearch
from agents.walker import ALGORITHMS, Walker, is_algorithm

__all__ = [
    "ALGORITHMS",
    "AmcDDPG",
    "DDPGSearch",
    "RewardModel",
    "Settings",
    "Walker",
    "is_algorithm",
]
