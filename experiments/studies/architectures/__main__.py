"""The networks that people have, each tried as a new user would: `make test-zoo`.

Every network runs in a process of its own, with random weights and inputs of real shapes; what is
found is written to a file line by line, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from fnmatch import fnmatchcase

from amc.parsing import read_record
from experiments.studies.apart import answer
from experiments.studies.architectures.measuring import Row
from experiments.studies.architectures.networks import NETWORKS
from experiments.studies.architectures.tables import failures, summary, table, write_docs
from experiments.studies.flags import rows_of

HERE = "experiments.studies.architectures"


def main(words: Sequence[str] | None = None) -> int:
    """Run the table or a part of it; 1 where a network of it does not keep to what is promised."""
    asked = _parser().parse_args(words)
    names = _chosen(asked.networks, quick=asked.quick)
    file = rows_of(asked, "name")
    known = {name: read_record(Row, line) for (name,), line in file.known().items()}
    waiting = [name for name in names if name not in known]

    threads = max(1, (os.cpu_count() or 1) // asked.jobs)

    def run(name: str) -> Row:
        start = time.time()
        row = _try(name, asked.timeout, threads, peer=not asked.no_peer)
        file.add(asdict(row))
        print(f"{name}: {row.error or _told(row)}, {time.time() - start:.0f} s", flush=True)
        return row

    with ThreadPoolExecutor(asked.jobs) as pool:
        known |= {row.name: row for row in pool.map(run, waiting)}
    rows = [known[name] for name in names]
    print(f"{table(rows)}\n\n{summary(rows)}")
    if asked.docs:
        write_docs(rows)
    wrong = failures(rows)
    print("\n".join(wrong))
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {HERE}", description=__doc__)
    parser.add_argument("--networks", default="*", help="names or shell patterns, by commas")
    parser.add_argument("--quick", action="store_true", help="one network a family")
    parser.add_argument("--out", default="runs/architectures.jsonl", help="(default: %(default)s)")
    parser.add_argument("--anew", action="store_true", help="forget what the file has")
    parser.add_argument("--jobs", type=int, default=1, help="networks at a time (default: 1)")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds (default: 900)")
    parser.add_argument("--no-peer", action="store_true", help="leave torch-pruning out")
    parser.add_argument("--docs", action="store_true", help="write the table into the docs")
    return parser


def _chosen(patterns: str, *, quick: bool) -> list[str]:
    wanted = patterns.split(",")
    found = [name for name in NETWORKS if any(fnmatchcase(name, one) for one in wanted)]
    if not found:
        raise SystemExit(
            f"no network matches {patterns!r}; such as {', '.join(list(NETWORKS)[:5])}"
        )
    return [name for name in found if NETWORKS[name].quick or not quick]


def _try(name: str, timeout: float, threads: int, *, peer: bool) -> Row:
    # Threads that wait for each other would spin, while the other network needs the core.
    own = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    found = answer(f"{HERE}.measuring", [name], timeout, own)
    row = Row(name, error=found["error"]) if "name" not in found else read_record(Row, found)
    if not peer:
        return row
    other = answer(f"{HERE}.peers", [name], timeout, own)
    return replace(row, peer=other.get("left"), peer_error=other.get("error", ""))


def _told(row: Row) -> str:
    parts = {"seen": row.seen, "free": row.free, "left": row.left, "off": row.off}
    words = [f"{name} {value:.3f}" for name, value in parts.items() if value is not None]
    return ", ".join([*words, f"traced in {row.traced or 0:.1f} s of {row.seconds:.2f} s"])


if __name__ == "__main__":
    sys.exit(main())
