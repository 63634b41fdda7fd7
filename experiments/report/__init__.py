"""Results for people: one self-contained page, and a table for the terminal."""

from experiments.report.page import render
from experiments.report.table import results_table

__all__ = ["render", "results_table"]
