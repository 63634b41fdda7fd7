"""The cells of the study, and in each the good policies among which one has to choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from amc.graph import Kept
from amc.history import Outcome
from amc.policy import Budget
from experiments.latency import profiled
from experiments.search import make_strategy, prepare, recipe_of
from experiments.settings import (
    NetworkSettings,
    ProblemSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.studies.foretelling.signals import Bench
from experiments.zoo import load_workload

NETWORKS = {"resnet20": 1.0, "mobilenet-v1": 0.5}
"""With the widths that the project has weights for."""

EPISODES, SEED = 100, 0
"""Of the search that the policies come from."""

RULES = ("uniform", "shallow")
"""Whose policies are there beside the search's."""

SPENT = 0.95
"""Part of the budget that a good policy uses at least."""

GOOD = 0.5
"""Part of those within the budget, the best by score, that counts as good."""


@dataclass(frozen=True)
class Cell:
    """A network and its budget.

    Args:
        network: Of `NETWORKS`.
        budget: As on the command line.
    """

    network: str
    budget: str


@dataclass(frozen=True)
class Candidate:
    """A policy that might be chosen.

    Args:
        origin: What made it.
        kept: Units that stay, per group.
    """

    origin: str
    kept: Kept


def bench(cell: Cell, epochs: float, console: Console) -> Bench:
    """The problem of a cell, its latency measured on this machine where the budget is of that."""
    config = SearchSettings(
        network=NetworkSettings(cell.network, width=NETWORKS[cell.network], seed=SEED),
        problem=ProblemSettings(budget=(Budget.parse(cell.budget),), episodes=EPISODES),
        tuning=TuningSettings(epochs),
    )
    workload = load_workload(config.network)
    config = profiled(config, workload, console)
    problem, _ = prepare(config, workload, console)
    recipe = recipe_of(config.tuning, config.network, workload)
    return Bench(problem, workload, recipe)


def candidates(bench: Bench, count: int) -> list[Candidate]:
    """Those of the rules, and good ones of `gp-rollout`, evenly by their place in it."""
    problem = bench.problem
    ruled = [
        Candidate(name, make_strategy(name, 1, {}).search(problem, SEED).best.kept)
        for name in RULES
    ]
    found = make_strategy("gp-rollout", EPISODES, {}).search(problem, SEED)
    taken = {one.kept for one in ruled}
    good = [one for one in _good(bench, found.outcomes) if one.kept not in taken]
    places = np.linspace(0, len(good) - 1, min(len(good), count - len(ruled))).round()
    return _once([*ruled, *(Candidate("search", good[int(at)].kept) for at in places)])


def _good(bench: Bench, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The best of those that spend the budget, the best one first."""
    limits = bench.problem.limits
    fit = {
        one.kept: one for one in outcomes if limits.fits(one.kept) and limits.use(one.kept) >= SPENT
    }
    ranked = sorted(fit.values(), key=lambda one: -one.merit)
    return ranked[: max(1, round(GOOD * len(ranked)))]


def _once(found: Iterable[Candidate]) -> list[Candidate]:
    first: dict[Kept, Candidate] = {}
    for one in found:
        first.setdefault(one.kept, one)
    return list(first.values())
