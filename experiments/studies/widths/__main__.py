"""Are smaller networks faster, at the counts that are legal unasked?

Networks of the zoo with random weights are cut by uniform ratios under three budgets of MACs, at
the counts that `--round-to auto` leaves, and under one at single channels. Whole networks are
timed, in turns, in onnxruntime and in PyTorch. It needs the environment of `make test-zoo`, and a
machine that does nothing else; every network is a line of the file, and the same command goes on
(with `--anew` from the start).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from amc.parsing import read_record
from experiments.disk import machine
from experiments.studies.apart import answer
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.studies.rows import Rows
from experiments.studies.widths.timing import (
    AUTO,
    BATCHES,
    CUTS,
    RUNTIMES,
    SINGLE,
    THREADS,
    Cell,
)
from experiments.terminal import count, percent

HERE = "experiments.studies.widths"
DOCS = Path(__file__).parents[3] / "docs"
PAGE, ROWS = DOCS / "latency.md", DOCS / "figures" / "widths.jsonl"
NETWORKS = (
    *("hf.bert-mlm", "smp.Unet", "timm.mixer_s16_224", "timm.mobilenetv4_conv_small"),
    *("timm.repvgg_b0", "timm.vit_tiny_patch16_224", "tv.convnext_tiny", "tv.densenet121"),
    *("tv.efficientnet_b0", "tv.lraspp_mobilenet_v3_large", "tv.mobilenet_v2"),
    *("tv.mobilenet_v3_large", "tv.regnet_y_400mf", "tv.resnet18", "tv.resnet50"),
    *("tv.resnext50_32x4d", "tv.shufflenet_v2_x1_0", "tv.squeezenet1_1", "tv.vgg16_bn"),
    "ultralytics.yolov8n",
)


def main(words: Sequence[str] | None = None) -> int:
    """Time the networks that the file does not have; 1 where one of them becomes slower."""
    parser = argparse.ArgumentParser(prog=f"python -m {HERE}", description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="(default: all twenty)")
    parser.add_argument("--out", default=str(ROWS), help="(default: docs/figures/widths.jsonl)")
    parser.add_argument("--anew", action="store_true", help="forget what the file has")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds (default: 900)")
    parser.add_argument("--docs", action="store_true", help="write the tables into the docs")
    asked = parser.parse_args(words)
    names, rows = asked.networks.split(","), Rows(Path(asked.out), ("name",))
    if asked.anew:
        rows.forget()
    known = {name: line for (name,), line in rows.known().items()}
    for name in names:
        if name not in known:
            known[name] = _timed(name, asked.timeout)
            rows.add(known[name])
            print(f"{name}: {known[name]['error'] or 'timed'}", flush=True)
    told = [known[name] for name in names]
    cells = [read_record(Cell, one) for line in told for one in line["cells"]]
    failed = [f"{line['name']}: {line['error']}" for line in told if line["error"]]
    made = dict.fromkeys(
        f"torch {m['torch']}, {m['processor']}" for m in (w["machine"] for w in told)
    )
    text = "\n\n".join([by_setting(cells), by_network(cells), *_slower_told(cells), *failed])
    text = f"{text}\n\n{'; '.join(made)}."
    print(text)
    if asked.docs:
        put(PAGE, "widths", text)
    return 1 if slower(cells) or failed else 0


def _timed(name: str, timeout: float) -> dict[str, Any]:
    """A line of the file."""
    found = {"cells": [], "error": "", **answer(f"{HERE}.timing", [name], timeout)}
    return {"name": name, **found, "machine": machine("cpu")}


def slower(cells: Iterable[Cell]) -> list[Cell]:
    """Those at the counts of `auto` that take longer than before, beyond the noise."""
    return [cell for cell in cells if cell.counts == AUTO and cell.slower]


def saved(cells: Sequence[Cell]) -> float:
    """Median saving of time, as a part of the saving of MACs."""
    return float(np.median([(1 - cell.left) / (1 - cell.macs) for cell in cells]))


def by_setting(cells: Sequence[Cell]) -> str:
    """What became of the time in each setting, over all networks."""
    heads = ("setting", *(f"{counts}, `macs={budget}`" for budget, counts in CUTS))
    heads = (*heads, f"{AUTO}: saved of time / of MACs", f"{AUTO}: slower", f"{SINGLE}: slower")
    rows = []
    for runtime, threads, batch in product(RUNTIMES, THREADS, BATCHES):
        here = [
            cell
            for cell in cells
            if (cell.runtime, cell.threads, cell.batch) == (runtime, threads, batch)
        ]
        if here:
            where = f"{runtime}, {count(threads, 'thread')}, batch {batch}"
            rows.append((where, *_summed(here)))
    return markdown(heads, [*rows, ("all", *_summed(cells))])


def _summed(cells: Sequence[Cell]) -> tuple[str, ...]:
    auto = [cell for cell in cells if cell.counts == AUTO]
    single = [cell for cell in cells if cell.counts == SINGLE]
    medians = [
        percent(float(np.median([cell.left for cell in cells if _is(cell, *cut)]))) for cut in CUTS
    ]
    return (
        *medians,
        f"{saved(auto):.2f}",
        f"{len(slower(auto))} of {len(auto)}",
        f"{sum(cell.slower for cell in single)} of {len(single)}",
    )


def _is(cell: Cell, budget: float, counts: str) -> bool:
    return (cell.budget, cell.counts) == (budget, counts)


def by_network(cells: Sequence[Cell]) -> str:
    """What is left of each network's MACs, and of its time: medians over the settings."""
    heads = ("network", *(f"{counts}, `macs={budget}`" for budget, counts in CUTS))
    told: Callable[[Sequence[Cell]], str] = lambda own: (  # noqa: E731
        f"{percent(float(np.median([cell.left for cell in own])))}, MACs {percent(own[0].macs)}"
    )
    names = dict.fromkeys(cell.name for cell in cells)
    return markdown(
        heads,
        [
            (
                name,
                *(
                    told([cell for cell in cells if cell.name == name and _is(cell, *cut)])
                    for cut in CUTS
                ),
            )
            for name in names
        ],
    )


def _slower_told(cells: Sequence[Cell]) -> list[str]:
    found = [
        f"{cell.name} at `macs={cell.budget}` takes {percent(cell.left)} of its time in "
        f"{cell.runtime} with {cell.threads} threads, batch {cell.batch}"
        for cell in sorted(slower(cells), key=lambda cell: -cell.left)
    ]
    return [f"Slower beyond the noise: {'; '.join(found)}."] if found else []


if __name__ == "__main__":
    sys.exit(main())
