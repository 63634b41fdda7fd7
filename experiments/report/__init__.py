"""Results for people: one self-contained page, and a table for the terminal."""

from experiments.report.choice import choice_sentence
from experiments.report.convergence import excesses
from experiments.report.exports import read_export
from experiments.report.headline import (
    in_bytes_line,
    latency_line,
    latency_sentence,
    over_seeds,
    proof_sentence,
    standing,
    worse_sentence,
)
from experiments.report.page import going_on, render
from experiments.report.speed import slow_sentence
from experiments.report.terminal_table import results_table
from experiments.report.trust import sentences

__all__ = [
    "choice_sentence",
    "excesses",
    "going_on",
    "in_bytes_line",
    "latency_line",
    "latency_sentence",
    "over_seeds",
    "proof_sentence",
    "read_export",
    "render",
    "results_table",
    "sentences",
    "slow_sentence",
    "standing",
    "worse_sentence",
]
