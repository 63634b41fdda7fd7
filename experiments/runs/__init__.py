"""Run folders: journal, results, resuming, failures."""

from experiments.runs.checkpoints import steps_trained
from experiments.runs.failures import FAILURE_FILE, failure, failure_kept
from experiments.runs.journal_file import JOURNAL_FILE, RunJournal, count_entries
from experiments.runs.results import (
    Choice,
    Correlation,
    CostChange,
    Finalist,
    Pace,
    Proof,
    Remeasured,
    RunResult,
    Scores,
    Trained,
    Tried,
    Trust,
    folders_of_benchmark,
    of_samples,
    run_folders,
)
from experiments.runs.resuming import (
    Interrupted,
    begin,
    finished,
    is_finished,
    resumable,
    run_journal,
    scored_alike,
)
from experiments.runs.so_far import SO_FAR, SoFar, latest_of

__all__ = [
    "FAILURE_FILE",
    "JOURNAL_FILE",
    "SO_FAR",
    "Choice",
    "Correlation",
    "CostChange",
    "Finalist",
    "Interrupted",
    "Pace",
    "Proof",
    "Remeasured",
    "RunJournal",
    "RunResult",
    "Scores",
    "SoFar",
    "Trained",
    "Tried",
    "Trust",
    "begin",
    "count_entries",
    "failure",
    "failure_kept",
    "finished",
    "folders_of_benchmark",
    "is_finished",
    "latest_of",
    "of_samples",
    "resumable",
    "run_folders",
    "run_journal",
    "scored_alike",
    "steps_trained",
]
