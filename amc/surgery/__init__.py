"""Cutting a network, and checking that the cut computes what it should."""

from amc.surgery.cutting import SurgeryError, check_cut, cut, fault, mask, staying_channels

__all__ = ["SurgeryError", "check_cut", "cut", "fault", "mask", "staying_channels"]
