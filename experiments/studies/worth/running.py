"""One contender in one cell: search, choice and fine-tuning, with what they cost."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from amc.policy import Budget
from experiments.disk import Rows, in_short, machine
from experiments.runs import RunResult
from experiments.search import search
from experiments.settings import (
    MeasureSettings,
    OutputSettings,
    ProblemSettings,
    SearchSettings,
    TuningSettings,
)
from experiments.studies.peers.case import NETWORKS, case
from experiments.studies.peers.contenders import narrower
from experiments.studies.worth.contenders import CONTENDERS, EVEN, LONGER, OURS, SCRATCH

KEYS = ("network", "budget", "contender", "seed")

Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Running:
    """What all contenders share.

    Args:
        rows: Of the study.
        runs: Folder of what they leave.
        epochs: Of fine-tuning.
        episodes: Candidates that a search evaluates.
        console: For progress.
    """

    rows: Rows
    runs: Path
    epochs: float
    episodes: int
    console: Console

    def row(self, key: Key) -> dict[str, Any]:
        """What comes of it; an error where it can do nothing here."""
        about = {**dict(zip(KEYS, key, strict=True)), "epochs": self.epochs}
        about["machine"] = in_short(machine())
        before = _processor_seconds()
        try:
            found = self._trained(key) if key[2] == SCRATCH else self._searched(key)
        except (LookupError, ValueError) as error:
            return {**about, "error": str(error)}
        used = _processor_seconds() - before
        return {**about, "error": "", **found, "core_seconds": used}

    def _searched(self, key: Key) -> Mapping[str, Any]:
        network, budget, name, seed = key
        contender = CONTENDERS[name]
        folder = self.runs / network / budget.replace("=", "-") / f"{name}-{seed}"
        config = SearchSettings(
            network=replace(NETWORKS[network], seed=seed),
            problem=ProblemSettings(budget=(Budget.parse(budget),), episodes=self.episodes),
            tuning=TuningSettings(self._longer(key) if name == LONGER else self.epochs),
            choice=contender.choice,
            ending=MeasureSettings(no_measure=True),
            output=OutputSettings(str(folder)),
            strategy=contender.strategy,
            options=contender.options_for(network),
        )
        return _told(search(config, self.console))

    def _longer(self, key: Key) -> float:
        """Epochs of uniform ratios that take as long as all that ours does."""
        network, budget, _, seed = key
        ours, even = (self.rows.known()[network, budget, name, seed] for name in (OURS, EVEN))
        cut = sum(even["seconds"].values()) - even["seconds"]["finetune"]
        left = sum(ours["seconds"].values()) - cut
        return float(self.epochs * max(1.0, left / even["seconds"]["finetune"]))

    def _trained(self, key: Key) -> Mapping[str, Any]:
        network, asked, name, seed = key
        budget, here = Budget.parse(asked), case(network)
        left = here.left if budget.cost == "latency" else here.macs_left
        rows = Rows(self.runs / network / f"{name}-{budget.cost}.jsonl", ("knob",))
        found = narrower(here, left, budget.limit, seed, rows)
        start = time.perf_counter()
        tuned = here.trained(found.network, seed, self.epochs)
        seconds = {"search": found.seconds, "finetune": time.perf_counter() - start}
        score = here.accuracy(tuned)
        return {"left": left(tuned), "cut": score, "tuned": score, "seconds": seconds}


def _told(result: RunResult) -> Mapping[str, Any]:
    (budget,) = result.budgets
    tuned = result.finetuned or result.searched
    left = result.latency or result.costs[budget.cost]
    return {
        "left": left.fraction,
        "cut": result.searched.final,
        "tuned": tuned.final,
        "seconds": dict(result.seconds),
        "evaluations": len(result.evaluations),
        "steps": result.finetune_steps,
        "chosen": result.choice.chosen if result.choice else None,
        "kept": [group.kept for group in result.groups],
    }


def _processor_seconds() -> float:
    """Of all cores, by this process and those that it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
