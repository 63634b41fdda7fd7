"""How fast a search is, against the textbook procedure: `python -m experiments.bench_search`.

Parts, chosen by --parts:

    speed    seconds an episode, ours and the textbook's side by side, and where they go
    memory   what a search takes of it, against activations, weights and moments
    right    accuracies of the fast path against those of the float32 path
    racing   whether stopping hopeless candidates early changes which one wins
    growth   how an episode grows with width, depth, images and layers
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.files import write_whole
from experiments.machine import machine
from experiments.speed.cases import NETWORKS, Case, Sizes
from experiments.speed.growth import growth
from experiments.speed.memory import memory
from experiments.speed.right import right
from experiments.speed.stopping import stopping
from experiments.speed.versus import versus

Part = Callable[[Case, argparse.Namespace], dict[str, Any]]
"""Measures one network, prints what it found, and returns it for the file."""

PARTS: dict[str, Part] = {
    "speed": lambda case, told: versus(case, told.episodes, told.textbook_episodes),
    "memory": lambda case, told: memory(case),
    "right": lambda case, told: right(case, told.policies),
    "racing": lambda case, told: stopping(case, told.policies, told.searches),
    "growth": lambda case, told: growth(case),
}


def measured(told: argparse.Namespace) -> dict[str, Any]:
    """All parts of all networks, by the network's name."""
    found: dict[str, Any] = {}
    for name in told.networks.split(","):
        sizes = Sizes(told.budget, told.images, told.calibration)
        case = Case.of(name, sizes)
        print(f"## {name} ({case.weights} weights)\n", flush=True)
        found[name] = {
            "weights": case.weights,
            "budget": f"macs={told.budget}",
            "images": told.images,
            "calibration": told.calibration,
            "made with": machine(),
        }
        for part in told.parts.split(","):
            found[name] |= PARTS[part](case, told)
    return found


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        SystemExit: for a part or network that is not known.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plain = Sizes()
    add = parser.add_argument
    add("--parts", default="speed,memory", help="default %(default)s")
    add("--networks", default=",".join(NETWORKS), help="default %(default)s")
    add("--episodes", type=int, default=20, help="of ours (default %(default)s)")
    add("--textbook-episodes", type=int, default=20, help="default %(default)s")
    add("--policies", type=int, default=100, help="of `right` and `racing` (default %(default)s)")
    add("--searches", type=int, default=20, help="of `racing` (default %(default)s)")
    add("--budget", type=float, default=plain.budget, help="of MACs (default %(default)s)")
    add("--images", type=int, default=plain.images, help="held-out (default %(default)s)")
    add("--calibration", type=int, default=plain.calibration, help="default %(default)s")
    add("--json", type=Path, help="file for all figures")
    told = parser.parse_args(words)
    for asked, known in ((told.parts, PARTS), (told.networks, NETWORKS)):
        for name in asked.split(","):
            if name not in known:
                parser.error(f"{name!r} is not one of {', '.join(known)}")
    return told


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print tables and write the figures; 0 when done."""
    told = parsed(words)
    found = measured(told)
    if told.json is not None:
        write_whole(told.json, json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
