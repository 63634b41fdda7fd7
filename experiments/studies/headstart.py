"""What a search saves that begins with earlier ones: `python -m experiments.studies.headstart`.

resnet20 and mobilenet-v1 on Fashion-MNIST, at 15% of their MACs. The default search begins with
nothing, with its own evaluations at 30%, and with what the other network has at 15%. Each search
is a line of the file, and the same command goes on after any stop.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from rich.console import Console

from amc.earlier import TRIED, Earlier
from amc.history import Outcome
from amc.policy import Budget
from amc.problem import Problem, SearchResult
from amc.strategies import ResidualGP
from experiments.disk import Rows, in_short, machine
from experiments.search import prepare, suggested
from experiments.settings import ProblemSettings, SearchSettings
from experiments.statistics import Mean, difference
from experiments.studies.flags import DOCS, parser_of, rows_of, tell
from experiments.studies.markdown import markdown
from experiments.studies.peers.case import NETWORKS
from experiments.zoo import Workload, load_workload

HERE = "experiments.studies.headstart"
PAGE, ROWS = DOCS / "ratio-rules.md", DOCS / "figures" / "headstart.jsonl"
KEYS = ("network", "kind", "seed")

STUDIED = ("resnet20", "mobilenet-v1")
BUDGET, WIDER = "macs=0.15", "macs=0.3"
KINDS = {
    "nothing": "nothing",
    "budget": f"its own evaluations at `{WIDER}`",
    "network": f"the other network's best at `{BUDGET}`",
}
EPISODES, SEEDS = 100, 5
SHOWN = (10, 20, 40, 100)
"""Evaluations after which the best so far is told."""


def main(words: Sequence[str] | None = None) -> int:
    """Search what is missing, and print the table."""
    asked = _parser().parse_args(words)
    rows, searches = rows_of(asked, *KEYS), Searches()
    if not asked.no_run:
        for seed, network, kind in product(range(asked.seeds), STUDIED, KINDS):
            if (network, kind, seed) not in rows.known():
                rows.add(searches.row(network, kind, seed))
                print(f"{network} {kind} {seed}: {_last(rows, network, kind, seed):.4f}")
    return tell(asked, rows, lambda: table(rows.known(), asked.seeds), PAGE, "headstart")


def _last(rows: Rows, *key: Any) -> float:
    return float(rows.known()[key]["curve"][-1])


@dataclass
class Searches:
    """Searches, of which others begin with some: these are made once a seed."""

    made: dict[tuple[str, str, int], SearchResult] = field(default_factory=dict)

    def row(self, network: str, kind: str, seed: int) -> dict[str, Any]:
        """One search, as a line."""
        asked = problem(network, BUDGET).with_history()
        earlier = self._earlier(asked, network, kind, seed)
        found = ResidualGP(EPISODES).search(asked.with_earlier(earlier), seed)
        if kind == "nothing":
            self.made[network, BUDGET, seed] = found
        return {
            **dict(zip(KEYS, (network, kind, seed), strict=True)),
            "curve": best_so_far(asked, found.outcomes),
            "seconds": found.seconds,
            "machine": in_short(machine()),
        }

    def _earlier(self, asked: Problem, network: str, kind: str, seed: int) -> Earlier:
        if kind == "budget":
            return Earlier(self._search(network, WIDER, seed).outcomes)
        if kind == "network":
            (other,) = (name for name in STUDIED if name != network)
            theirs, there = self._search(other, BUDGET, seed), problem(other, BUDGET)
            fit = [one for one in theirs.outcomes if there.limits.fits(one.kept)]
            best = sorted(fit, key=lambda one: -one.merit)[:TRIED]
            found = suggested(there.graph, [one.kept for one in best], asked.graph)
            return Earlier(policies=tuple(found))
        return Earlier()

    def _search(self, network: str, budget: str, seed: int) -> SearchResult:
        key = (network, budget, seed)
        if key not in self.made:
            own = problem(network, budget).with_history()
            self.made[key] = ResidualGP(EPISODES).search(own, seed)
        return self.made[key]


def best_so_far(asked: Problem, outcomes: Sequence[Outcome]) -> list[float]:
    """(EPISODES,) the best score within the budget after each evaluation; 0 before there is one."""
    scores = [one.score if asked.limits.fits(one.kept) else 0.0 for one in outcomes]
    best = [float(one) for one in np.maximum.accumulate(scores)]
    return best + best[-1:] * (EPISODES - len(best))


@cache
def problem(network: str, budget: str) -> Problem:
    """As on the command line, with its defaults."""
    asked = ProblemSettings(budget=(Budget.parse(budget),))
    config = SearchSettings(network=NETWORKS[network], problem=asked)
    return prepare(config, _workload(network), Console(quiet=True))[0]


@cache
def _workload(network: str) -> Workload:
    return load_workload(NETWORKS[network])


def table(found: Mapping[tuple[Any, ...], Mapping[str, Any]], seeds: int) -> str:
    """The best so far after some evaluations, and when the fresh search's end is reached."""
    heads = (
        *("network", "begins with", *(f"after {count}" for count in SHOWN)),
        *("more at the end", "as good as the end of the first after", "seeds"),
    )
    lines = []
    for network, kind in product(STUDIED, KINDS):
        pairs = [
            (found[network, "nothing", seed]["curve"], found[network, kind, seed]["curve"])
            for seed in range(seeds)
            if (network, kind, seed) in found and (network, "nothing", seed) in found
        ]
        if pairs:
            lines.append([network, KINDS[kind], *_cells(pairs, kind), str(len(pairs))])
    machines = dict.fromkeys(line["machine"] for line in found.values())
    return f"{markdown(heads, lines)}\n\n{'; '.join(machines)}."


def _cells(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], kind: str) -> list[str]:
    fresh, own = (np.array(curves) for curves in zip(*pairs, strict=True))
    shown = [str(Mean.of(own[:, count - 1])) for count in SHOWN]
    if kind == "nothing":
        return [*shown, "", ""]
    reached = [_reached(curve, before[-1]) for before, curve in pairs]
    return [*shown, difference(own[:, -1].tolist(), fresh[:, -1].tolist()), _told(reached)]


def _reached(curve: Sequence[float], goal: float) -> int | None:
    """Evaluations until a curve is as high as a goal; None where it never is."""
    return next((number for number, value in enumerate(curve, 1) if value >= goal), None)


def _told(reached: Sequence[int | None]) -> str:
    there = sorted(number for number in reached if number is not None)
    words = ", ".join(map(str, there))
    missing = len(reached) - len(there)
    return words + (f"{', ' if words else ''}{missing} never" if missing else "")


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each (default: %(default)s)")
    parser.add_argument("--no-run", action="store_true", help="only make the table anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
