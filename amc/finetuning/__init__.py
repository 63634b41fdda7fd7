"""Short, long and iterative fine-tuning."""

from amc.finetuning.fitting import OnStep, fit
from amc.finetuning.iterative import Plan, prune_iteratively
from amc.finetuning.pausing import LOSSES
from amc.finetuning.recipes import OPTIMIZERS, Recipe
from amc.finetuning.schedule import Schedule

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "OnStep",
    "Plan",
    "Recipe",
    "Schedule",
    "fit",
    "prune_iteratively",
]
