"""Run folders: journal, results, resuming, failures."""

from experiments.runs.failures import FAILURE_FILE, failure, failure_kept
from experiments.runs.journal import JOURNAL_FILE, RunJournal, noted, steps_trained
from experiments.runs.results import (
    Accuracies,
    Correlation,
    CostChange,
    Remeasured,
    RunResult,
    Trained,
    Tried,
    Trust,
    benchmarked,
    run_folders,
)
from experiments.runs.resuming import (
    Interrupted,
    begin,
    finished,
    is_finished,
    resumable,
    run_journal,
)

__all__ = [
    "FAILURE_FILE",
    "JOURNAL_FILE",
    "Accuracies",
    "Correlation",
    "CostChange",
    "Interrupted",
    "Remeasured",
    "RunJournal",
    "RunResult",
    "Trained",
    "Tried",
    "Trust",
    "begin",
    "benchmarked",
    "failure",
    "failure_kept",
    "finished",
    "is_finished",
    "noted",
    "resumable",
    "run_folders",
    "run_journal",
    "steps_trained",
]
