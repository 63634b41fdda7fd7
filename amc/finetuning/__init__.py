"""Short, long and iterative fine-tuning."""

from amc.finetuning.augmentation import steps_in_all, steps_of_pass
from amc.finetuning.fitting import OnStep, fit, rehearse
from amc.finetuning.iterative import Plan, prune_iteratively
from amc.finetuning.pausing import LOSSES
from amc.finetuning.recipes import OPTIMIZERS, Recipe, usual_optimizer
from amc.finetuning.schedule import Schedule
from amc.finetuning.tuning import check_tunable, tune

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "OnStep",
    "Plan",
    "Recipe",
    "Schedule",
    "check_tunable",
    "fit",
    "prune_iteratively",
    "rehearse",
    "steps_in_all",
    "steps_of_pass",
    "tune",
    "usual_optimizer",
]
