"""The search for pruning ratios as a Gymnasium environment, registered as `amc/Pruning-v0`."""

import gymnasium

from envs.pruning_env import Episode, PruningEnv

ENV_ID = "amc/Pruning-v0"
"""What `gymnasium.make` knows the environment by."""

gymnasium.register(ENV_ID, entry_point="envs.pruning_env:PruningEnv")

__all__ = ["ENV_ID", "Episode", "PruningEnv"]
