"""What foretells the score after fine-tuning: `python -m experiments.studies.foretelling`.

In each cell, a trained network on Fashion-MNIST and a budget, policies are taken that are all good:
those of two rules and the better half of what `gp-rollout` evaluates. Each is looked at as a
search could, by its score after the cut, by its loss, after short fine-tunings, and is then
fine-tuned whole, once a seed. Reported is how well each look ranks the policies as the whole
fine-tuning does, and what is gained by choosing by it. Every policy is a line of the file, and the
same command goes on after any stop.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from experiments.disk import Rows, in_short, machine
from experiments.studies.flags import DOCS, parser_of, rows_of
from experiments.studies.foretelling.policies import Cell, bench, candidates
from experiments.studies.foretelling.tables import looked, tables
from experiments.studies.pages import put

HERE = "experiments.studies.foretelling"
PAGE, ROWS = DOCS / "trust.md", DOCS / "figures" / "foretelling.jsonl"
KEYS = ("network", "budget", "policy")

CELLS = ("resnet20:macs=0.15", "mobilenet-v1:latency=0.333")
POLICIES, SEEDS, EPOCHS = 16, 2, 1.0


def main(words: Sequence[str] | None = None) -> int:
    """Look at what is missing, and print the tables."""
    asked = _parser().parse_args(words)
    cells = [Cell(*one.split(":", 1)) for one in asked.cells.split(",")]
    rows, console = rows_of(asked, *KEYS), Console(markup=False, highlight=False)
    if not asked.no_run:
        for cell in cells:
            _run(cell, asked, rows, console)
    text = tables(looked(rows.known().values(), [(one.network, one.budget) for one in cells]))
    print(text)
    if asked.docs:
        put(PAGE, "foretelling", text)
    return 0


def _run(cell: Cell, asked: argparse.Namespace, rows: Rows, console: Console) -> None:
    where = (cell.network, cell.budget)
    there = sum(key[:2] == where for key in rows.known())
    if there >= asked.policies:
        return
    here = bench(cell, asked.epochs, console)
    for number, one in enumerate(candidates(here, asked.policies)):
        if (*where, number) in rows.known():
            continue
        row = {
            **dict(zip(KEYS, (*where, number), strict=True)),
            "origin": one.origin,
            "kept": one.kept,
            "signals": here.signals(one.kept),
            "finals": [here.final(one.kept, seed) for seed in range(asked.seeds)],
            "epochs": asked.epochs,
            "machine": in_short(machine()),
        }
        rows.add(row)
        console.print(_told(row), soft_wrap=True)


def _told(row: dict[str, object]) -> str:
    signals, finals = row["signals"], row["finals"]
    assert isinstance(signals, dict)
    assert isinstance(finals, list)
    tuned = " ".join(f"{one['test']:.4f}" for one in finals)
    seconds = sum(one["seconds"] for one in finals) / len(finals)
    cut = signals["cut: score"]["value"]
    return f"{row['network']} {row['budget']} {row['policy']} ({row['origin']}): " + (
        f"{cut:.4f} cut, {tuned} tuned in {seconds:.0f} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    add = parser.add_argument
    add("--cells", default=",".join(CELLS), help="NETWORK:BUDGET, by commas (default: %(default)s)")
    add("--policies", type=int, default=POLICIES, help="in each cell (default: %(default)s)")
    add("--seeds", type=int, default=SEEDS, help="of whole fine-tunings (default: %(default)s)")
    add("--epochs", type=float, default=EPOCHS, help="of them (default: %(default)s)")
    add("--no-run", action="store_true", help="only make the tables anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
