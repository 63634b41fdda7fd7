"""The cost `memory` beside what runtimes take: `python -m experiments.studies.peak_memory`.

Networks of the zoo with random weights, as they came and cut by uniform ratios to half of their
MACs, batch 1: weights, inputs and the most that a pass holds at once. PyTorch's figure is its
allocator's own record, onnxruntime's is by how much its first pass raises the peak of the process's
resident memory (Linux). It needs the environment of `make test-zoo`; every network is a line of the
file, and the same command goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.disk import in_short, machine
from experiments.studies.apart import answer
from experiments.studies.architectures.networks import TIMED
from experiments.studies.flags import DOCS, parser_of, rows_of
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.terminal import measure

HERE = "experiments.studies.peak_memory"
PAGE, ROWS = DOCS / "costs.md", DOCS / "figures" / "peak-memory.jsonl"
RUNTIMES = ("torch", "onnxruntime")

Line = Mapping[str, Any]


def main(words: Sequence[str] | None = None) -> int:
    """Measure the networks that the file does not have, and print the table."""
    asked = parser_of(HERE, __doc__, ROWS, TIMED, timeout=900).parse_args(words)
    names, rows = asked.networks.split(","), rows_of(asked, "name")
    for name in names:
        if (name,) not in rows.known():
            found = answer(f"{HERE}.one_network", [name], asked.timeout)
            rows.add({"name": name, "error": "", **found, "machine": machine("cpu")})
            print(f"{name}: {found.get('error') or 'measured'}", flush=True)
    lines = [rows.known()[name,] for name in names]
    print(text := told(lines))
    if asked.docs:
        put(PAGE, "peak memory", text)
    return 1 if any(line["error"] for line in lines) else 0


def told(lines: Sequence[Line]) -> str:
    """The table, what it comes to, and where it was measured."""
    made = "; ".join(dict.fromkeys(in_short(line["machine"]) for line in lines))
    return "\n\n".join([table(lines), summary(lines), f"{made}."])


def table(lines: Sequence[Line]) -> str:
    """Counted and taken, in Markdown."""
    heads = (
        *("network", "left of the MACs", "`memory`", "PyTorch", "off by"),
        *("onnxruntime", "off by"),
    )
    return markdown(heads, [row for line in lines for row in _rows(line)])


def _rows(line: Line) -> list[tuple[str, ...]]:
    if line["error"]:
        return [(line["name"], line["error"], *[""] * 5)]
    return [
        (
            line["name"],
            f"{own['macs']:.0%}",
            measure(own["said"], "bytes"),
            *(
                text
                for runtime in RUNTIMES
                for text in (measure(own[runtime], "bytes"), f"{_off(own, runtime):+.1%}")
            ),
        )
        for own in line["sizes"]
    ]


def _off(own: Mapping[str, float], runtime: str) -> float:
    """How far what a runtime takes is above what was counted."""
    return own[runtime] / own["said"] - 1


def summary(lines: Sequence[Line]) -> str:
    """How far off the counts are over all networks, and how far the saving."""
    good = [line["sizes"] for line in lines if not line["error"]]
    told = []
    for runtime in RUNTIMES:
        off = [abs(_off(own, runtime)) for sizes in good for own in sizes]
        saved = [
            abs(small[runtime] / whole[runtime] - small["said"] / whole["said"])
            for whole, small in good
        ]
        told.append(
            f"{runtime} takes what is counted to within {np.median(off):.1%} in the median and "
            f"{np.quantile(off, 0.9):.1%} at the 90th percentile; what is left of it after the cut "
            f"is told to within {100 * np.median(saved):.1f} points in the median and "
            f"{100 * np.quantile(saved, 0.9):.1f} at the 90th percentile."
        )
    return " ".join(told)


if __name__ == "__main__":
    sys.exit(main())
