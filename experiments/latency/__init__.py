"""How long networks take: profiles, outlook, what was gained."""

from amc.costs.latency import LATENCY
from experiments.latency import clock
from experiments.latency.clock import device
from experiments.latency.commanded import CommandError
from experiments.latency.gain import Gain
from experiments.latency.in_bytes import InBytesError, scores_in_bytes
from experiments.latency.in_torch import pace
from experiments.latency.onnx_files import time_files, write_proved
from experiments.latency.profiled import measured_here, profiled
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
    "InBytesError",
    "about_device",
    "clock",
    "costs_of",
    "dense_and_sparse",
    "device",
    "measured_here",
    "measures",
    "obstacle",
    "pace",
    "profiled",
    "remeasure",
    "runtime_asked",
    "scores_in_bytes",
    "table_of",
    "terms_of",
    "time_files",
    "write_proved",
]
