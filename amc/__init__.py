"""What can be pruned from a network, what it costs, and how good what is left is.

A name is looked up when it is first asked for, so that `import amc` takes milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amc.parsing import on_demand, tell_moved

if TYPE_CHECKING:
    from amc.costs import COSTS, BudgetError
    from amc.export import load_pruned, save_pruned
    from amc.finetuning import Recipe, fit
    from amc.granularity import Rounding
    from amc.graph import Group, Layer, PruningGraph
    from amc.history import Outcome
    from amc.modules import Calls, register, returning
    from amc.one_call import Pruned, search
    from amc.policy import Budget, Policy, PolicyError
    from amc.problem import Problem, SearchResult, Strategy
    from amc.pruning import bake, prune
    from amc.rules import uniform_policy
    from amc.surgery import SurgeryError
    from amc.tasks import (
        Classification,
        LanguageModel,
        MultiLabel,
        Regression,
        Samples,
        Score,
        Segmentation,
        Task,
        TorchMetric,
        Unlabelled,
        Whole,
    )
    from amc.tracing import GraphError, trace

_PLACES = {
    "costs": ("COSTS", "BudgetError"),
    "export": ("load_pruned", "save_pruned"),
    "finetuning": ("Recipe", "fit"),
    "granularity": ("Rounding",),
    "graph": ("Group", "Layer", "PruningGraph"),
    "one_call": ("Pruned", "search"),
    "policy": ("Budget", "Policy", "PolicyError"),
    "history": ("Outcome",),
    "modules": ("Calls", "register", "returning"),
    "problem": ("Problem", "SearchResult", "Strategy"),
    "pruning": ("bake", "prune"),
    "rules": ("uniform_policy",),
    "surgery": ("SurgeryError",),
    "tasks": (
        *("Classification", "LanguageModel", "MultiLabel", "Regression", "Samples", "Score"),
        *("Segmentation", "Task", "TorchMetric", "Unlabelled", "Whole"),
    ),
    "tracing": ("GraphError", "trace"),
}
_MOVED = {
    "evaluation": ("racing",),
    "graph": ("structure",),
    "modules": ("attention", "fusing", "inputs", "kinds"),
    "parsing": ("checks", "json_text", "names", "units"),
    "pruning": ("candidates", "masks", "narrowing"),
    "refit": ("moments", "patches", "reconstruction"),
    "rules": ("projection",),
    "tasks": ("samples",),
}

__all__ = [
    "COSTS",
    "Budget",
    "BudgetError",
    "Calls",
    "Classification",
    "GraphError",
    "Group",
    "LanguageModel",
    "Layer",
    "MultiLabel",
    "Outcome",
    "Policy",
    "PolicyError",
    "Problem",
    "Pruned",
    "PruningGraph",
    "Recipe",
    "Regression",
    "Rounding",
    "Samples",
    "Score",
    "SearchResult",
    "Segmentation",
    "Strategy",
    "SurgeryError",
    "Task",
    "TorchMetric",
    "Unlabelled",
    "Whole",
    "bake",
    "fit",
    "load_pruned",
    "prune",
    "register",
    "returning",
    "save_pruned",
    "search",
    "trace",
    "uniform_policy",
]


tell_moved("amc", {name: f"amc.{place}" for place, names in _MOVED.items() for name in names})


__getattr__ = on_demand("amc", _PLACES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
