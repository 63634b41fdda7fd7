"""How fast a search is, against the textbook procedure: `python -m experiments.studies.speed`.

Parts, chosen by --parts:

    speed    seconds an episode, ours and the textbook's side by side, and where they go
    memory   what a search takes of it, against activations, weights and moments
    right    accuracies of the fast path against those of the float32 path
    racing   whether stopping hopeless candidates early changes which one wins
    gains    what each part of the fast evaluation is worth, left out in turn
    growth   how an episode grows with width, depth, images and layers

With --json each part is written as soon as it is measured, beside what the file has of others. With
--docs the file is docs/figures/search.json, and its tables go into the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.disk import machine, write_whole
from experiments.studies.pages import put
from experiments.studies.speed import gains, growth, memory, right, stopping, versus
from experiments.studies.speed.cases import NETWORKS, Case, Sizes
from experiments.zoo import check_device

PAGE = Path("docs/search-speed.md")
FIGURES = Path("docs/figures/search.json")
DEFAULT_PARTS = "speed,memory"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One thing that is measured of a network.

    Args:
        title: Of its table.
        key: That its figures have in the file, by which one sees whether it was measured.
        measure: Returns the figures.
        table: Of the network's figures, in Markdown.
    """

    title: str
    key: str
    measure: Callable[[Case, argparse.Namespace], Figures]
    table: Callable[[Mapping[str, Any]], str]


PARTS = {
    "speed": Part(
        "An episode",
        "speedup",
        lambda case, told: versus.versus(case, told.episodes, told.textbook_episodes),
        versus.table,
    ),
    "memory": Part("Memory", "memory", lambda case, told: memory.memory(case), memory.table),
    "right": Part(
        "The fast path against the float32 path",
        "right",
        lambda case, told: right.right(case, told.policies),
        right.table,
    ),
    "racing": Part(
        "Stopping hopeless candidates",
        "racing",
        lambda case, told: stopping.stopping(case, told.policies, told.searches),
        stopping.table,
    ),
    "gains": Part(
        "What each part is worth",
        "gains",
        lambda case, told: gains.gains(case),
        gains.table,
    ),
    "growth": Part(
        "What an evaluation grows with",
        "growth",
        lambda case, told: growth.growth(case),
        growth.table,
    ),
}


def measure(told: argparse.Namespace) -> Figures:
    """All that was asked for, by the network's name, with what the file had before."""
    file = FIGURES if told.docs else told.json
    found: Figures = json.loads(file.read_text("utf-8")) if file and file.is_file() else {}
    for name in told.networks.split(","):
        sizes = Sizes(told.budget, told.images, told.calibration, told.device)
        case = Case.of(name, sizes)
        title = name if told.device == "cpu" else f"{name} on {told.device}"
        print(f"### {title} ({case.weights} weights)\n", flush=True)
        own = found.setdefault(title, {})
        own |= {
            "weights": case.weights,
            "budget": f"macs={told.budget}",
            "images": told.images,
            "calibration": told.calibration,
            "made with": machine(told.device),
        }
        for part in (PARTS[part] for part in told.parts.split(",")):
            own |= part.measure(case, told)
            print(f"{part.title}:\n\n{part.table(own)}\n", flush=True)
            if file:
                write_whole(file, json.dumps(found, indent=1) + "\n")
    return found


def page(found: Figures) -> str:
    """All tables of all networks."""
    return "\n\n".join(_section(name, own) for name, own in found.items())


def _section(name: str, own: Mapping[str, Any]) -> str:
    made = own["made with"]
    gpu = f", {made['gpu']}" if "gpu" in made else ""
    told = (
        f"### {name}\n\n"
        f"{own['weights'].capitalize()} weights, `{own['budget']}`, {own['images']:,} held-out "
        f"images, a refit from {own['calibration']:,}; torch {made['torch']}, "
        f"{made['processor']}, {made['instructions']}{gpu}."
    )
    tables = [f"{part.title}:\n\n{part.table(own)}" for part in PARTS.values() if part.key in own]
    return "\n\n".join([told, *tables])


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        SystemExit: for a part or network that is not known.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plain = Sizes()
    add = parser.add_argument
    add("--parts", default=DEFAULT_PARTS, help="default %(default)s")
    add("--networks", default=",".join(NETWORKS), help="default %(default)s")
    add("--episodes", type=int, default=20, help="of ours (default %(default)s)")
    add("--textbook-episodes", type=int, default=20, help="default %(default)s")
    add("--policies", type=int, default=100, help="of `right` and `racing` (default %(default)s)")
    add("--searches", type=int, default=20, help="of `racing` (default %(default)s)")
    add("--budget", type=float, default=plain.budget, help="of MACs (default %(default)s)")
    add("--images", type=int, default=plain.images, help="held-out (default %(default)s)")
    add("--calibration", type=int, default=plain.calibration, help="default %(default)s")
    add("--device", default=plain.device, help="cpu or cuda (default %(default)s)")
    add("--json", type=Path, help="file for all figures; what it has of others stays")
    add("--docs", action="store_true", help=f"into {FIGURES}, and tables into {PAGE}")
    told = parser.parse_args(words)
    for asked, known in ((told.parts, PARTS), (told.networks, NETWORKS)):
        for name in asked.split(","):
            if name not in known:
                parser.error(f"{name!r} is not one of {', '.join(known)}")
    if told.device != "cpu" and {"memory", "growth"} & {*told.parts.split(",")}:
        parser.error("memory and growth are measured on the processor; name other --parts")
    return told


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print tables and write the figures; 0 when done."""
    told = parse(words)
    try:
        check_device(told.device)
    except ValueError as error:
        print(f"speed: error: {error}", file=sys.stderr)
        return 2
    found = measure(told)
    if told.docs:
        put(PAGE, "figures", page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
