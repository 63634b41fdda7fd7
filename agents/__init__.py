"""Agents that answer the pruning environment, on stable-baselines3."""

from agents.ddpg import AmcDDPG
from agents.imagining import ImaginedDDPGSearch
from agents.rollout_agent import RolloutAgent, is_algorithm
from agents.settings import AgentSettings
from agents.strategy import (
    AgentSearch,
    DDPGSearch,
    GPRolloutSearch,
    PaperDDPGSearch,
    SACSearch,
    TD3Search,
)

__all__ = [
    "AgentSearch",
    "AgentSettings",
    "AmcDDPG",
    "DDPGSearch",
    "GPRolloutSearch",
    "ImaginedDDPGSearch",
    "PaperDDPGSearch",
    "RolloutAgent",
    "SACSearch",
    "TD3Search",
    "is_algorithm",
]
