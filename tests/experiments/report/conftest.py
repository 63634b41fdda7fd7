"""Results as runs leave them, made up but consistent."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from amc.history import Outcome
from amc.policy import Budget, GroupChoice
from experiments.runs.results import CostChange, RunResult, Scores

NAMES = ("stem.0", "stages.0.conv1", "stages.1.conv1")
FULL = (16, 32, 64)


def candidate(number: int, accuracy: float, left: float = 0.5) -> Outcome:
    kept = tuple(round(units * left) for units in FULL)
    return Outcome(number, kept, accuracy, {"macs": 1e6 * left, "params": 4e4 * left}, 1.0)


def choices(names: Sequence[str], left: float) -> tuple[GroupChoice, ...]:
    return tuple(
        GroupChoice(name, round(units * left), units)
        for name, units in zip(names, FULL, strict=True)
    )


@pytest.fixture
def made(make_result: Callable[..., RunResult]) -> Callable[..., RunResult]:
    """The same, for each test."""
    return make_result


@pytest.fixture(scope="session")
def make_result() -> Callable[..., RunResult]:
    """A result of a strategy that found its best of `accuracies` last, at `left` of all costs."""

    def make(
        strategy: str = "gp-rollout",
        accuracies: Sequence[float] = (0.7, 0.8, 0.85),
        left: float = 0.5,
        names: Sequence[str] = NAMES,
        **changes: Any,
    ) -> RunResult:
        best = max(accuracies, default=0.85)
        values: dict[str, Any] = {
            "strategy": strategy,
            "model": "resnet8",
            "dataset": "digits",
            "seed": 0,
            "budgets": ("macs=0.5",),
            "unpruned": Scores(0.95, 0.94),
            "searched": Scores(best, best - 0.01),
            "finetuned": Scores(0.93, 0.92),
            "costs": {
                "macs": CostChange("MACs", 1e6, 1e6 * left),
                "params": CostChange("parameters", 4e4, 4e4 * left),
            },
            "groups": choices(names, left),
            "evaluations": tuple(candidate(at, value, left) for at, value in enumerate(accuracies)),
            "seconds": {"prepare": 1.0, "search": 61.5, "finetune": 20.0},
            "finetune_steps": 400,
            "config": {"model": "resnet8", "dataset": "digits", "out": f"runs/{strategy}"},
            "machine": {"torch": "2.13.0"},
        }
        values |= changes
        values["budgets"] = tuple(map(Budget.parse, values["budgets"]))
        return RunResult(**values)

    return make


@pytest.fixture
def four(made: Callable[..., RunResult]) -> list[RunResult]:
    """The comparison of the demonstration."""
    tuned = tuple(candidate(at, 0.94 - 0.002 * at, 1 - 0.02 * at) for at in range(26))
    return [
        made("gp-rollout"),
        made("netadapt", evaluations=tuned, tuned_steps=580),
        made("uniform", [0.8]),
        made("manual", [0.78], left=0.4),
    ]
