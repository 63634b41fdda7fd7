"""Cutting a network, and checking that the cut computes what it should."""

from amc.surgery.checking import SurgeryError, check_cut, fault
from amc.surgery.cutting import cut, staying_channels
from amc.surgery.masking import mask

__all__ = ["SurgeryError", "check_cut", "cut", "fault", "mask", "staying_channels"]
