"""The search for pruning ratios as a Gymnasium environment, registered as `amc/Pruning-v0`."""

import gymnasium

from envs.bounds import execute_action, execute_rollouts
from envs.features import Features, Observation
from envs.pruning_env import Episode, PruningEnv
from envs.rewards import REWARDS

ENV_ID = "amc/Pruning-v0"
"""What `gymnasium.make` knows the environment by."""

gymnasium.register(ENV_ID, entry_point="envs.pruning_env:PruningEnv")

__all__ = [
    "ENV_ID",
    "REWARDS",
    "Episode",
    "Features",
    "Observation",
    "PruningEnv",
    "execute_action",
    "execute_rollouts",
]
