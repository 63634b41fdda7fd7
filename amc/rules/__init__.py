"""Ratio rules: strategies that know their answer after one evaluation, or after one scan."""

from amc.projection import bisect, project
from amc.rules.depth import DepthRamp
from amc.rules.manual import Manual, matched_ratios
from amc.rules.ranked import GlobalRanking
from amc.rules.sensitivity import Sensitivity
from amc.rules.uniform import Uniform, uniform, uniform_policy

__all__ = [
    "DepthRamp",
    "GlobalRanking",
    "Manual",
    "Sensitivity",
    "Uniform",
    "bisect",
    "matched_ratios",
    "project",
    "uniform",
    "uniform_policy",
]
