"""`amc front`: the trade-off of a cost."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from amc.policy import Budget
from experiments.commands.conclusion import conclude
from experiments.runs import RunResult
from experiments.search import best_of, search
from experiments.settings import FrontSettings
from experiments.terminal import cost_name, percent, scored


def run(config: FrontSettings, console: Console) -> None:
    """What `amc front` does."""
    result = search(config.search, console)
    conclude([result], config.output, console)
    console.print(_table(config, result))
    console.print(
        f"any of them: amc prune --policy {config.output.out} --budget {config.cost}="
        f"{(config.lowest + config.highest) / 2:g}",
        soft_wrap=True,
    )


def _table(config: FrontSettings, result: RunResult) -> Table:
    """Budgets, and the best candidate within each."""
    table = Table(box=None, pad_edge=False)
    for heading in ("budget", f"{cost_name(config.cost)} left", f"held-out {result.score.name}"):
        table.add_column(heading, justify="right")
    change = result.costs[config.cost]
    cheapest = min(one.costs[config.cost] for one in result.evaluations) / change.unpruned
    for limit in np.linspace(max(config.lowest, cheapest), config.highest, config.points):
        # Up in the last digit that is shown, so that the cheapest is within it.
        budget = Budget(config.cost, min(1.0, float(np.ceil(limit * 1e4) / 1e4)))
        best = best_of(result, [*config.problem.budget, budget])
        left = best.costs[config.cost] / change.unpruned
        table.add_row(str(budget), percent(left), scored(best.score))
    return table
