"""How long networks take: profiles, outlook, what was gained."""

from amc.costs.latency import LATENCY
from experiments.latency import clock
from experiments.latency.clock import device
from experiments.latency.commanded import CommandError
from experiments.latency.gain import Gain
from experiments.latency.in_torch import pace
from experiments.latency.onnx_files import time_files, write_proved
from experiments.latency.profiled import profiled
from experiments.latency.semi_structured import dense_and_sparse, obstacle
from experiments.latency.terms import (
    about_device,
    costs_of,
    measures,
    remeasure,
    runtime_asked,
    table_of,
    terms_of,
)

__all__ = [
    "LATENCY",
    "CommandError",
    "Gain",
    "about_device",
    "clock",
    "costs_of",
    "dense_and_sparse",
    "device",
    "measures",
    "obstacle",
    "pace",
    "profiled",
    "remeasure",
    "runtime_asked",
    "table_of",
    "terms_of",
    "time_files",
    "write_proved",
]
