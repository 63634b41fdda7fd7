"""Ratio rules: strategies that know their answer after one evaluation, or after one scan."""

from amc.rules.budgets import check_budget
from amc.rules.depth import Deep, Shallow, depths
from amc.rules.manual import Manual, match_ratios
from amc.rules.projection import Ratios, bisect, fill_up, project, project_all
from amc.rules.ranked import GlobalRanking, global_counts
from amc.rules.sensitivity import Curve, Sensitivity, curves
from amc.rules.starting import (
    earlier_policies,
    episodes_left,
    least_important,
    starting_policy,
    without,
)
from amc.rules.uniform_ratios import Uniform, uniform, uniform_policy

__all__ = [
    "Curve",
    "Deep",
    "GlobalRanking",
    "Manual",
    "Ratios",
    "Sensitivity",
    "Shallow",
    "Uniform",
    "bisect",
    "check_budget",
    "curves",
    "depths",
    "earlier_policies",
    "episodes_left",
    "fill_up",
    "global_counts",
    "least_important",
    "match_ratios",
    "project",
    "project_all",
    "starting_policy",
    "uniform",
    "uniform_policy",
    "without",
]
