"""The problem that a search solves, from settings."""

from __future__ import annotations

import time

from rich.console import Console

from amc.granularity import Granularity
from amc.policy import Budget
from amc.problem import Problem
from amc.pruning import decisions
from amc.tasks import Samples
from experiments.latency import measures, terms_of
from experiments.settings import CutConfig, ProblemConfig, listed
from experiments.zoo import Setting


def prepared(config: ProblemConfig, setting: Setting, console: Console) -> tuple[Problem, float]:
    """The problem that a search solves, and the seconds that it took to set up."""
    start = time.perf_counter()
    unit, limits = Granularity.parse(config.granularity), budgets(config.budget)
    excluded = listed(config.exclude)
    graph = decisions(setting.model, setting.example, str(unit), excluded)
    agreed = terms_of(
        config, setting.model, graph, limits, unit.rounding(config.multiple, config.max_ratio)
    )
    for note in agreed.notes:
        console.print(note, soft_wrap=True)
    holdout = setting.splits.holdout
    if config.search_images:
        holdout = holdout.take(slice(0, config.search_images))
    problem = Problem(
        setting.model,
        setting.example,
        limits,
        holdout=holdout,
        calibration=calibration(config, setting),
        train=setting.splits.train,
        criterion=config.criterion,
        rounding=agreed.rounding,
        granularity=str(unit),
        exclude=excluded,
        seed=config.seed,
        costs=agreed.costs,
        graph=graph,
        racing=config.racing,
        measure=measures(config, setting, graph, agreed),
    )
    return problem, time.perf_counter() - start


def budgets(text: str) -> tuple[Budget, ...]:
    """Budgets separated by commas; an empty text is none.

    Raises:
        ValueError: if a part has another form, or a cost is named twice.
    """
    parts = text.split(",") if text.strip() else []
    found = tuple(Budget.parse(part) for part in parts)
    names = [budget.cost for budget in found]
    if len(set(names)) < len(names):
        raise ValueError(f"--budget is {text!r}; name each cost once")
    return found


def calibration(config: CutConfig, setting: Setting) -> Samples | None:
    """The training images that the refit reads; the same for every command and seed."""
    if not config.calibration_images:
        return None
    return setting.splits.train.take(slice(0, config.calibration_images))
