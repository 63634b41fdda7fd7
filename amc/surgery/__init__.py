"""Cutting a network, and checking that the cut computes what it should."""

from amc.surgery.checking import SurgeryError, check_cut, fault, fault_in_training, sees_constants
from amc.surgery.cutting import cut, staying_channels, tensor_of
from amc.surgery.masking import mask

__all__ = [
    "SurgeryError",
    "check_cut",
    "cut",
    "fault",
    "fault_in_training",
    "mask",
    "sees_constants",
    "staying_channels",
    "tensor_of",
]
