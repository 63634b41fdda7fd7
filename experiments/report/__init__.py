"""Results for people: one self-contained page, and a table for the terminal."""

from experiments.report.exports import exported
from experiments.report.headline import measured_again
from experiments.report.page import render
from experiments.report.progress import excesses
from experiments.report.table import results_table
from experiments.report.trust import sentences

__all__ = ["excesses", "exported", "measured_again", "render", "results_table", "sentences"]
