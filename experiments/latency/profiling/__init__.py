"""A latency table from programs that are timed alone; needs the extra `onnx`."""

from experiments.latency.profiling.carrying import ARCHIVE, SCRIPT, carried, prepare
from experiments.latency.profiling.describe import reach_of, trust, where, widths
from experiments.latency.profiling.fitting import judged
from experiments.latency.profiling.measuring import Answer, Timings, payload, table
from experiments.latency.profiling.plan import WHOLE, Plan
from experiments.latency.profiling.planning import measured_here, planned, rounding_of
from experiments.latency.profiling.templates import made, proved_model, template
from experiments.latency.profiling.whole import Gauge, latencies

__all__ = [
    "ARCHIVE",
    "SCRIPT",
    "WHOLE",
    "Answer",
    "Gauge",
    "Plan",
    "Timings",
    "carried",
    "judged",
    "latencies",
    "made",
    "measured_here",
    "payload",
    "planned",
    "prepare",
    "proved_model",
    "reach_of",
    "rounding_of",
    "table",
    "template",
    "trust",
    "where",
    "widths",
]
