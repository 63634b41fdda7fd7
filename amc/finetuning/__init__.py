"""Short, long and iterative fine-tuning."""

from amc.finetuning.fitting import OnStep, fit
from amc.finetuning.recipes import Recipe

__all__ = ["OnStep", "Recipe", "fit"]
