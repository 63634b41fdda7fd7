"""What 2:4 saves on an NVIDIA GPU, by PyTorch's semi-structured tensors, in half precision.

    python -m experiments.studies.semi_structured --json FILE

Square linear layers of several sizes, at several numbers of rows (samples times positions): seconds
of a dense product, and of one whose weight keeps two of every four, each in a CUDA graph.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from experiments.disk import machine, write_whole
from experiments.latency import dense_and_sparse, obstacle
from experiments.studies.markdown import markdown

SIZES = (1024, 2048, 4096, 8192)
ROWS = (64, 512, 4096, 16384)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the figures; 2 without such a GPU."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.semi_structured",
        description="Dense linear layers against 2:4 on an NVIDIA GPU.",
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    told = parser.parse_args(words)
    if reason := obstacle():
        print(f"semi_structured: error: {reason}; run it where one is", file=sys.stderr)
        return 2
    rows = []
    for size in SIZES:
        weight = torch.randn(size, size, generator=torch.Generator().manual_seed(size))
        rows += [(size, count, *dense_and_sparse(weight, count)) for count in ROWS]
    print(table(rows))
    made = machine("cuda")
    print(f"\ntorch {made['torch']}, {made['gpu']}")
    if told.json:
        figures = {"columns": ["size", "rows", "dense", "2:4"], "rows": rows, "made with": made}
        write_whole(told.json, json.dumps(figures, indent=1) + "\n")
    return 0


def table(rows: Sequence[tuple[int, int, float, float]]) -> str:
    """Microseconds of each size and number of rows, in Markdown."""
    heads = ["layer", "rows", "dense, µs", "2:4, µs", "times as fast"]
    cells = [
        [f"{size} x {size}", f"{count}", micro(dense), micro(sparse), f"{dense / sparse:.2f}"]
        for size, count, dense, sparse in rows
    ]
    return markdown(heads, cells)


def micro(seconds: float) -> str:
    """In microseconds."""
    return f"{1e6 * seconds:.1f}"


if __name__ == "__main__":
    sys.exit(main())
