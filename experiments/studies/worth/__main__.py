"""What a search is worth after fine-tuning: `python -m experiments.studies.worth`.

Three trained networks on Fashion-MNIST are cut to 30% and 15% of their MACs and to a third of their
time in onnxruntime, by every strategy, by rules, by ratios that a person set, and as networks of
uniform width that are trained from random weights. All are fine-tuned alike, and each row tells
accuracy on the test pictures and what all of it took. Every network is a line of the file, the same
command goes on after any stop, and --hours ends it before it has to. It wants a machine that does
nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from rich.console import Console

from experiments.studies.flags import DOCS, parser_of, rows_of, tell
from experiments.studies.peers.case import NETWORKS
from experiments.studies.worth.contenders import CONTENDERS, SCRATCH
from experiments.studies.worth.running import KEYS, Key, Running
from experiments.studies.worth.tables import tables
from experiments.terminal import count, duration

HERE = "experiments.studies.worth"
PAGE, ROWS = DOCS / "worth.md", DOCS / "figures" / "worth.jsonl"

BUDGETS = ("macs=0.3", "macs=0.15", "latency=0.333")
EPOCHS, EPISODES, SEEDS = 1.0, 100, 5


def main(words: Sequence[str] | None = None) -> int:
    """Run what is missing, and print the tables."""
    asked = _parser().parse_args(words)
    contenders = asked.contenders.split(",")
    if wrong := [name for name in contenders if name not in CONTENDERS]:
        print(f"worth: error: --contenders: no {wrong[0]}; there are {', '.join(CONTENDERS)}")
        return 2
    cells = [tuple(one.split(":", 1)) for one in asked.cells.split(",")]
    if wrong := [cell[0] for cell in cells if cell[0] not in NETWORKS or len(cell) < 2]:
        print(f"worth: error: --cells: {wrong[0]!r} is no NETWORK:BUDGET of {', '.join(NETWORKS)}")
        return 2
    rows, console = rows_of(asked, *KEYS), Console(markup=False, highlight=False)
    running = Running(rows, Path(asked.runs), asked.epochs, asked.episodes, console)
    missing = [key for key in _order(cells, contenders, asked.seeds) if key not in rows.known()]
    if not asked.no_run:
        _run(missing, running, asked.hours)
    shown = [(network, budget) for network, budget in cells]
    return tell(asked, rows, lambda: tables(rows.known(), shown, asked.seeds), PAGE, "worth")


def _order(
    cells: Sequence[tuple[str, ...]], contenders: Sequence[str], seeds: int
) -> Iterator[Key]:
    """All that is run: seed after seed; what is trained from random weights last."""
    quick = [name for name in contenders if name != SCRATCH]
    for names in (quick, [name for name in contenders if name == SCRATCH]):
        for seed, (network, budget), name in product(range(seeds), cells, names):
            yield network, budget, name, seed


def _run(missing: Sequence[Key], running: Running, hours: float) -> None:
    start = time.perf_counter()
    for number, key in enumerate(missing):
        row = running.row(key)
        running.rows.add(row)
        taken = time.perf_counter() - start
        left = len(missing) - number - 1
        what = " ".join(map(str, key))
        told = row["error"] or f"{row['cut']:.4f} cut, {row['tuned']:.4f} tuned"
        running.console.print(
            f"{what}: {told}; {count(left, 'network')} left, about "
            f"{duration(taken / (number + 1) * left)}",
            soft_wrap=True,
        )
        if taken > 3600 * hours:
            running.console.print(f"{hours:g} hours are over; the same command goes on")
            return


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    add = parser.add_argument
    cells = ",".join(f"{network}:{budget}" for network, budget in product(NETWORKS, BUDGETS))
    add("--cells", default=cells, help="NETWORK:BUDGET, by commas (default: %(default)s)")
    add("--contenders", default=",".join(CONTENDERS), help="(default: all of them)")
    add("--seeds", type=int, default=SEEDS, help="of each (default: %(default)s)")
    add("--epochs", type=float, default=EPOCHS, help="of fine-tuning (default: %(default)s)")
    add("--episodes", type=int, default=EPISODES, help="of a search (default: %(default)s)")
    add("--runs", default="runs/worth", help="what contenders leave (default: %(default)s)")
    add("--hours", type=float, default=2.0, help="after which it stops (default: %(default)g)")
    add("--no-run", action="store_true", help="only make the tables anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
