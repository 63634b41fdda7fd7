"""What can be pruned from a network, what it costs, and how good what is left is.

A name is looked up when it is first asked for, so that `import amc` takes milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amc.costs import COSTS, BudgetError
    from amc.export import load_pruned, save_pruned
    from amc.finetuning import Recipe, fit
    from amc.granularity import Rounding
    from amc.graph import Group, Layer, PruningGraph
    from amc.history import Outcome
    from amc.policy import Budget, Policy, PolicyError
    from amc.problem import Problem, SearchResult, Strategy
    from amc.pruning import bake, prune
    from amc.rules import uniform_policy
    from amc.surgery import SurgeryError
    from amc.tasks import Samples
    from amc.tracing import GraphError, trace

_PLACES = {
    "costs": ("COSTS", "BudgetError"),
    "export": ("load_pruned", "save_pruned"),
    "finetuning": ("Recipe", "fit"),
    "granularity": ("Rounding",),
    "graph": ("Group", "Layer", "PruningGraph"),
    "policy": ("Budget", "Policy", "PolicyError"),
    "history": ("Outcome",),
    "problem": ("Problem", "SearchResult", "Strategy"),
    "pruning": ("bake", "prune"),
    "rules": ("uniform_policy",),
    "surgery": ("SurgeryError",),
    "tasks": ("Samples",),
    "tracing": ("GraphError", "trace"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

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


def __getattr__(name: str) -> object:
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"amc.{_PLACE_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
