"""The contest itself, in the environment of the others: `python -m ...peers.contest`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from experiments.disk import Rows, in_short, machine
from experiments.studies.peers.case import Case, case
from experiments.studies.peers.contenders import CONTENDERS
from experiments.studies.peers.plan import KEYS, Plan

Key = tuple[str, float, str, int]


def cells(plan: Plan) -> Iterator[Key]:
    """All that is run: seed after seed, so that what is there at a stop is even; those last that
    are trained from scratch, as they take longest."""
    quick = [name for name in plan.contenders if name != "scratch"]
    slow = [name for name in plan.contenders if name == "scratch"]
    for names in (quick, slow):
        for seed, network, target, name in product(
            range(plan.seeds), plan.networks, plan.targets, names
        ):
            yield network, target, name, seed


def run(plan: Plan) -> None:
    """Run what the file does not have."""
    rows = Rows(Path(plan.out), KEYS)
    for key in cells(plan):
        if key not in rows.known():
            row = {**dict(zip(KEYS, key, strict=True)), **_row(key, rows, Path(plan.runs))}
            rows.add(row)
            print(_told(row), flush=True)


def _row(key: Key, rows: Rows, runs: Path) -> dict[str, Any]:
    network, target, name, seed = key
    here, first = case(network), rows.known().get((network, target, name, 0), {})
    about = {"error": "", "machine": in_short(machine())}
    if first.get("error"):
        return {**about, "error": first["error"]}
    try:
        cut = CONTENDERS[name][1](here, target, seed, runs / network / name, first)
    except Exception as error:  # Others' packages have errors of their own.
        return {**about, "error": f"{type(error).__name__}: {error}".partition("\n")[0][:300]}
    made_in = {"knob": cut.knob, "note": cut.note, "seconds": cut.seconds}
    return {**about, **made_in, **_scores(here, name, seed, cut.network)}


def _scores(here: Case, name: str, seed: int, network: Any) -> dict[str, Any]:
    before = here.accuracy(network)
    start = time.perf_counter()
    after = here.accuracy(here.tuned(network, seed)) if name != "scratch" else before
    return {
        "left": here.left(network),
        "macs": here.macs_left(network),
        "parameters": sum(one.numel() for one in network.parameters()),
        "cut": before,
        "tuned": after,
        "tuning_seconds": time.perf_counter() - start,
    }


def _told(row: dict[str, Any]) -> str:
    what = " ".join(str(row[key]) for key in KEYS)
    if row["error"]:
        return f"{what}: {row['error']}"
    return (
        f"{what}: {row['left']:.3f} of the time, {row['cut']:.4f} cut, {row['tuned']:.4f} tuned, "
        f"{row['seconds']:.0f} s + {row['tuning_seconds']:.0f} s"
    )


def main(words: Sequence[str]) -> int:
    """Run the plan that the first word tells, as JSON."""
    run(Plan.read(words[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
