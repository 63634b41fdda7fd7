"""From a policy to a pruned network, at any granularity."""

from amc.pruning.candidates import Candidates
from amc.pruning.masks import bake, held_masks, plain_copy
from amc.pruning.narrowing import Narrowed, Narrowing, narrow
from amc.pruning.policies import decisions, kept_counts, policy_of, prune
from amc.pruning.pruner import Pruner

__all__ = [
    "Candidates",
    "Narrowed",
    "Narrowing",
    "Pruner",
    "bake",
    "decisions",
    "held_masks",
    "kept_counts",
    "narrow",
    "plain_copy",
    "policy_of",
    "prune",
]
