"""A latency table from programs that are timed alone; needs the extra `onnx`."""

from experiments.latency.profiling.carrying import (
    ARCHIVE,
    SCRIPT,
    fingerprint,
    prepare,
    read_answer,
)
from experiments.latency.profiling.correction import judge
from experiments.latency.profiling.describe import reach_of, trust, where, widths
from experiments.latency.profiling.measuring import (
    Answer,
    Timings,
    measure,
    payload,
    table,
)
from experiments.latency.profiling.plan import WHOLE, Plan
from experiments.latency.profiling.planning import (
    measure_here,
    plan_for,
    plan_of_network,
    rounding_of,
)
from experiments.latency.profiling.templates import model_at, smaller_network, template
from experiments.latency.profiling.whole import (
    Gauge,
    export_network,
    export_unpruned,
    in_turns,
    time_networks,
)

__all__ = [
    "ARCHIVE",
    "SCRIPT",
    "WHOLE",
    "Answer",
    "Gauge",
    "Plan",
    "Timings",
    "export_network",
    "export_unpruned",
    "fingerprint",
    "in_turns",
    "judge",
    "measure",
    "measure_here",
    "model_at",
    "payload",
    "plan_for",
    "plan_of_network",
    "prepare",
    "reach_of",
    "read_answer",
    "rounding_of",
    "smaller_network",
    "table",
    "template",
    "time_networks",
    "trust",
    "where",
    "widths",
]
