"""One search for every budget against one for each: `python -m experiments.studies.fronts`.

resnet20 and mobilenet-v1 on Fashion-MNIST, at ten budgets from 20% to 90% of their MACs: `front`
with 600 evaluations in all, against the default search with 300 at each of them. What each finds at
a budget is measured on held-out images that no search saw. Every search is a line of the file, and
the same command goes on after any stop.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from amc.graph import Kept
from amc.problem import Problem
from amc.strategies import Front, ResidualGP, best_within
from experiments.disk import in_short, machine
from experiments.statistics import Mean, difference
from experiments.studies.accuracies import fast_accuracy
from experiments.studies.contest.material import Material, material
from experiments.studies.flags import DOCS, parser_of, rows_of, tell
from experiments.studies.markdown import markdown
from experiments.terminal import count, percent

HERE = "experiments.studies.fronts"
PAGE, ROWS = DOCS / "front.md", DOCS / "figures" / "fronts.jsonl"
KEYS = ("network", "budget", "seed")

STUDIED = ("resnet20", "mobilenet-v1")
LOWEST, HIGHEST, POINTS = 0.2, 0.9, 10
LEVELS = tuple(round(float(level), 4) for level in np.linspace(LOWEST, HIGHEST, POINTS))
TOGETHER, ALONE, SEEDS = 600, 300, 5
ALL = 0.0
"""In place of a budget: the row of the search for all of them."""

NEAR = 0.005
"""How far below a search of its own a point of the front may lie."""


def main(words: Sequence[str] | None = None) -> int:
    """Search what is missing, and print the table."""
    asked = _parser().parse_args(words)
    rows, start = rows_of(asked, *KEYS), time.monotonic()
    missing = [key for key in _keys(asked.seeds) if key not in rows.known()]
    for number, key in enumerate([] if asked.no_run else missing):
        rows.add({**dict(zip(KEYS, key, strict=True)), **_searched(*key)})
        print(f"{' '.join(map(str, key))}: {count(len(missing) - number - 1, 'search')} left")
        if time.monotonic() - start > 3600 * asked.hours:
            break
    return tell(asked, rows, lambda: table(rows.known(), asked.seeds), PAGE, "fronts")


def _keys(seeds: int) -> Iterator[tuple[str, float, int]]:
    for seed, network, budget in product(range(seeds), STUDIED, (ALL, *LEVELS)):
        yield network, budget, seed


def _searched(network: str, budget: float, seed: int) -> dict[str, Any]:
    """What a search finds: of the one for all budgets at each of them."""
    shared = material(network, f"macs={budget or HIGHEST:g}")
    asked = shared.problem.with_history()
    start = time.perf_counter()
    if budget == ALL:
        strategy = Front(TOGETHER, LOWEST, POINTS)
        outcomes = strategy.search(asked, seed).outcomes
        bests = [best_within(outcomes, limits) for limits in strategy.levels(asked.limits)]
    else:
        found = ResidualGP(ALONE).search(asked, seed)
        outcomes, bests = found.outcomes, [found.best]
    seconds = time.perf_counter() - start
    scores = [None if one is None else _judged(shared, asked, one.kept) for one in bests]
    return {
        "scores": scores,
        "evaluations": len(outcomes),
        "seconds": seconds,
        "machine": in_short(machine()),
    }


def _judged(shared: Material, asked: Problem, kept: Kept) -> float:
    """On images that no search saw."""
    return fast_accuracy(asked.network(kept), asked.graph, shared.other)


def table(found: Mapping[tuple[Any, ...], Mapping[str, Any]], seeds: int) -> str:
    """Both at every budget, and at how many the front is near enough."""
    heads = ("network", "MACs", "front", "a search of its own", "the front is ahead by", "seeds")
    lines, near, cells = [], 0, 0
    for network, (at, level) in product(STUDIED, enumerate(LEVELS)):
        pairs = [
            (found[network, ALL, seed]["scores"][at], found[network, level, seed]["scores"][0])
            for seed in range(seeds)
            if (network, ALL, seed) in found and (network, level, seed) in found
        ]
        if not pairs:
            continue
        ours, own = zip(*pairs, strict=True)
        cells += 1
        near += float(np.mean(ours)) >= float(np.mean(own)) - NEAR
        shown = (str(Mean.of(ours)), str(Mean.of(own)), difference(ours, own))
        lines.append((network, percent(level), *shown, str(len(pairs))))
    machines = dict.fromkeys(line["machine"] for line in found.values())
    told = (
        f"The front is at most {NEAR} below a search of its own at {near} of {cells} budgets, with "
        f"{TOGETHER} evaluations in all against {ALONE} at each."
    )
    return "\n\n".join([markdown(heads, lines), told, f"{'; '.join(machines)}."])


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    add = parser.add_argument
    add("--seeds", type=int, default=SEEDS, help="of each (default: %(default)s)")
    add("--hours", type=float, default=2.0, help="after which it stops (default: %(default)g)")
    add("--no-run", action="store_true", help="only make the table anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
