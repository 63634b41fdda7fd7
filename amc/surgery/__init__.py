"""Cutting a network, and checking that the cut computes what it should."""

from amc.surgery.branches import Depth, constant_of
from amc.surgery.checking import (
    Fault,
    Known,
    SurgeryError,
    check_cut,
    fault,
    fault_in_training,
    seen_constants,
    training_fault,
)
from amc.surgery.comparing import Made, Seen
from amc.surgery.cutting import cut, like, staying_channels, tensor_of
from amc.surgery.masking import mask

__all__ = [
    "Depth",
    "Fault",
    "Known",
    "Made",
    "Seen",
    "SurgeryError",
    "check_cut",
    "constant_of",
    "cut",
    "fault",
    "fault_in_training",
    "like",
    "mask",
    "seen_constants",
    "staying_channels",
    "tensor_of",
    "training_fault",
]
