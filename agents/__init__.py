"""Agents that answer the pruning environment, on stable-baselines3."""

from agents.ddpg import AmcDDPG
from agents.rollout_agent import ALGORITHMS, RolloutAgent, is_algorithm
from agents.settings import AgentSettings
from agents.strategy import AgentSearch, DDPGSearch, GPRolloutSearch
from agents.surrogate import Surrogate

__all__ = [
    "ALGORITHMS",
    "AgentSearch",
    "AgentSettings",
    "AmcDDPG",
    "DDPGSearch",
    "GPRolloutSearch",
    "RolloutAgent",
    "Surrogate",
    "is_algorithm",
]
