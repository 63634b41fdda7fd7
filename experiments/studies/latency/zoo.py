"""How far tables of networks that others made are to be trusted.

Networks of real shape with random weights are profiled for onnxruntime on one thread, batch 1, as a
search with a budget of latency does it: whole blocks of channels, within ten minutes. Then random
policies of the counts that such a search may choose are cut, exported and timed whole, a few at a
time, in turns with the unpruned network; so the table is some minutes old, as users have it. It
needs the environment of `make test-zoo`, and a machine that does nothing else; every network is a
line of the file, and the same command goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.studies.apart import answer
from experiments.studies.flags import DOCS, parser_of, rows_of
from experiments.studies.latency.bars import missed
from experiments.studies.latency.one_network import NETWORKS
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.terminal import duration, percent

HERE = "experiments.studies.latency.zoo"
PAGE, ROWS = DOCS / "latency.md", DOCS / "figures" / "latency-zoo.jsonl"
MINUTES = 10.0

Line = Mapping[str, Any]


def main(words: Sequence[str] | None = None) -> int:
    """Test the networks that the file does not have; 1 where one misses a bar."""
    parser = parser_of(HERE, __doc__, ROWS, NETWORKS, timeout=3600)
    parser.add_argument("--policies", type=int, default=30, help="of each (default: 30)")
    asked = parser.parse_args(words)
    names, rows = asked.networks.split(","), rows_of(asked, "name")
    for name in names:
        if (name,) not in rows.known():
            given = [name, str(asked.policies), str(60 * MINUTES)]
            found = answer("experiments.studies.latency.one_network", given, asked.timeout)
            rows.add({"name": name, "error": "", **found})
            print(f"{name}: {found.get('error') or found['fit']}", flush=True)
    lines = [line for (name,), line in rows.known().items() if name in names]
    text, wrong = told(lines), misses(lines)
    print("\n".join([text, "", *wrong]))
    if asked.docs:
        put(PAGE, "zoo", text)
    return 1 if wrong else 0


def told(lines: Sequence[Line]) -> str:
    """The table, and where it was measured."""
    return "\n\n".join([accuracy_table(lines), *_devices(lines)])


def accuracy_table(lines: Iterable[Line]) -> str:
    """Errors beside the time that a profile takes, in Markdown."""
    heads = (
        *("network", "of", "median error", "90th percentile", "Spearman", "noise"),
        *("left of the time", "programs", "profile"),
    )
    return markdown(heads, [_row(line) for line in lines])


def _row(line: Line) -> tuple[str, ...]:
    name, about = line["name"], NETWORKS[line["name"]][0]
    if line["error"]:
        return name, about, line["error"], *[""] * 6
    fit, left = line["fit"], [one["measured"] / one["unpruned"] for one in line["tested"]]
    took = line["traced"] + line["planned"] + line["took"]
    return (
        *(name, about, percent(fit["median"]), percent(fit["p90"]), f"{fit['spearman']:.3f}"),
        *(percent(fit["noise"]), f"{percent(min(left))} to {percent(max(left))}"),
        *(f"{line['programs']}", duration(took)),
    )


def misses(lines: Iterable[Line]) -> list[str]:
    """In words, each bar that is not met."""
    failed = [f"{line['name']}: {line['error']}" for line in lines if line["error"]]
    return failed + [
        f"{line['name']}: {bar}"
        for line in lines
        if not line["error"]
        for bar in missed(line["fit"]).values()
    ]


def _devices(lines: Iterable[Line]) -> list[str]:
    told = [line["device"] for line in lines if not line["error"]]
    return list(
        dict.fromkeys(
            f"{one['processor']} ({one['revision']}), {one['runtime']} {one['version']}, "
            f"{one['threads']} thread, batch {one['batch']}."
            for one in told
        )
    )


if __name__ == "__main__":
    sys.exit(main())
