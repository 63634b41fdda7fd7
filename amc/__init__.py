"""What can be pruned from a network, what it costs, and how good what is left is."""

from amc.costs import COSTS, BudgetError
from amc.export import load_pruned, save_pruned
from amc.finetuning import Recipe, fit
from amc.granularity import Rounding
from amc.graph import GraphError, trace
from amc.masks import bake
from amc.policy import Budget, Policy, PolicyError
from amc.problem import Outcome, Problem, SearchResult, Strategy
from amc.pruning import prune
from amc.rules import uniform_policy
from amc.samples import Samples
from amc.structure import Group, Layer, PruningGraph
from amc.surgery import SurgeryError

__all__ = [
    "COSTS",
    "Budget",
    "BudgetError",
    "GraphError",
    "Group",
    "Layer",
    "Outcome",
    "Policy",
    "PolicyError",
    "Problem",
    "PruningGraph",
    "Recipe",
    "Rounding",
    "Samples",
    "SearchResult",
    "Strategy",
    "SurgeryError",
    "bake",
    "fit",
    "load_pruned",
    "prune",
    "save_pruned",
    "trace",
    "uniform_policy",
]
