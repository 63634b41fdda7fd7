"""The settings of an agent: DDPG's, the paper's, and those of gp-rollout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

from agents.replay import Returns
from amc.parsing import check

MANY = 1_000_000
"""Of anything that takes memory for each."""


@dataclass(frozen=True)
class AgentSettings:
    """What distinguishes one agent from another; the defaults are those of `ddpg`.

    Args:
        warmup: Fraction of the episodes before the agent learns, in [0, 1].
        longest_warmup: Episodes that the warm-up has at most; 0 sets no limit.
        sigma: Width of the exploration at the start, in units of the pruning ratio.
        final_sigma: Width in the last episode.
        returns: "monte-carlo" or "bootstrap"; see `EpisodeReplayBuffer`.
        start_at_uniform: Begin with the uniform policy, or with one without the least important
            branches where that is better, and around it, instead of anywhere.
        actor_lr: Adam's rate for the actor.
        critic_lr: Adam's rate for the critic.
        updates: Gradient updates of the algorithm after each episode; -1 means one per group.
        hidden: Units of the two hidden layers.
        batch_size: Transitions an update.
        tau: Weight of the new parameters in the target networks.
        buffer_size: Transitions kept; 0 keeps all.
        proposals: Rollouts proposed for each that is taken; 0 takes the actor's with its noise.
        imitation: Gradient steps towards the best rollout so far before each rollout.

    Raises:
        ValueError: if a number is out of its range or a word is not one of those named.
    """

    warmup: float = 0.25
    longest_warmup: int = 50
    sigma: float = 0.1
    final_sigma: float = 0.01
    returns: Returns = "monte-carlo"
    start_at_uniform: bool = True
    actor_lr: float = 1e-3
    critic_lr: float = 1e-3
    updates: int = 40
    hidden: int = 300
    batch_size: int = 64
    tau: float = 0.01
    buffer_size: int = 0
    proposals: int = 0
    imitation: int = 20

    def __post_init__(self) -> None:
        bounds = {
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "sigma": (0 < self.sigma < math.inf, "above 0"),
            "final_sigma": (0 < self.final_sigma <= self.sigma, "above 0 and at most sigma"),
            "returns": (self.returns in get_args(Returns), "bootstrap or monte-carlo"),
            "actor_lr": (0 < self.actor_lr < math.inf, "above 0"),
            "critic_lr": (0 < self.critic_lr < math.inf, "above 0"),
            "updates": (self.updates >= -1, "0 or more, or -1 for one per group"),
            "hidden": (1 <= self.hidden <= 10_000, "1 to 10000"),
            "batch_size": (1 <= self.batch_size <= MANY, f"1 to {MANY}"),
            "tau": (0 < self.tau <= 1, "above 0 and at most 1"),
            "buffer_size": (0 <= self.buffer_size <= MANY, f"0 (keeps all) to {MANY}"),
            "longest_warmup": (self.longest_warmup >= 0, "0 or more episodes"),
            "proposals": (0 <= self.proposals <= MANY, f"0 to {MANY}"),
            "imitation": (self.imitation >= 0, "0 or more"),
        }
        for name, (good, wanted) in bounds.items():
            check("agent", name, getattr(self, name), good, wanted)

    @classmethod
    def gp_rollout(cls) -> AgentSettings:
        """A Gaussian process chooses among proposed rollouts; no critic is trained."""
        return cls(warmup=0.2, longest_warmup=20, updates=0, proposals=64)

    @classmethod
    def published(cls) -> AgentSettings:
        """The agent of the paper."""
        return cls(
            warmup=0.25,
            longest_warmup=0,
            sigma=0.5,
            final_sigma=0.01,
            returns="bootstrap",
            start_at_uniform=False,
            actor_lr=1e-4,
            critic_lr=1e-3,
            updates=-1,
            proposals=0,
            hidden=300,
            batch_size=64,
            tau=0.01,
            buffer_size=2000,
        )
