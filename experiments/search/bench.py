"""Candidates of a search, fine-tuned to see what they become."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.console import Console

from amc.evaluation import recalibrate
from amc.history import Outcome
from amc.journal import Named
from amc.problem import Problem
from experiments.runs import RunJournal
from experiments.search.problems import first_of, task_for
from experiments.search.searching import Found
from experiments.search.tuning import Start, Tuned, tune
from experiments.settings import SearchSettings
from experiments.zoo import Workload


@dataclass(frozen=True)
class Bench:
    """What candidates are fine-tuned with.

    Args:
        config: Of the command.
        workload: Network and task.
        problem: That the search solved.
        made: What it found.
        journal: Of the run.
        console: For progress.
    """

    config: SearchSettings
    workload: Workload
    problem: Problem
    made: Found
    journal: RunJournal
    console: Console

    def found(self, candidate: Outcome, **origin: str) -> Found:
        """A candidate as if the search had chosen it.

        Args:
            candidate: It.
            origin: What its policy tells beside, or in place of, what the search's does.
        """
        origin = {**self.made.policy.origin, **origin}
        policy = self.problem.policy(candidate.kept, origin, self.made.policy.criterion)
        return replace(self.made, policy=policy, network=self.problem.trainable(candidate.kept))

    def tuned(self, candidate: Outcome, journal: Named, part: float = 1.0) -> Tuned:
        """It after the run's fine-tuning, or one of a part of its epochs.

        Args:
            candidate: It.
            journal: Where its fine-tuning is noted, or was made before.
            part: Of the epochs.
        """
        tuning, found = self.config.tuning, self.found(candidate)
        if tuning.recalibrate:
            recalibrate(found.network, first_of(self.workload.task, tuning.recalibrate))
        task = task_for(self.config.cut, self.workload)
        start = Start(found.network, found.policy, found.graph, task)
        epochs = part * tuning.finetune_epochs
        config = replace(self.config, tuning=replace(tuning, finetune_epochs=epochs))
        return tune(config, self.workload, start, self.console, journal)
