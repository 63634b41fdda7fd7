"""Ours against other people's pruning: `python -m experiments.studies.peers`.

Trained networks on Fashion-MNIST are made to take half and a third of their time in onnxruntime
(one thread, batch 1), measured whole, in turns with the unpruned network. A contender that has no
clock gets one: all values of its one knob are tried, and the slowest network that is fast enough is
taken. All are fine-tuned alike. The others are installed into an environment of their own,
.venv-peers, where all of it runs. Every network is a line of the file, and the same command goes on
after any stop; it is hours in all. It wants a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.disk import Rows
from experiments.studies.flags import DOCS, parser_of, rows_of
from experiments.studies.pages import put
from experiments.studies.peers.case import NETWORKS
from experiments.studies.peers.contenders import CONTENDERS
from experiments.studies.peers.environment import FOLDER, ROOT, python_of
from experiments.studies.peers.plan import KEYS, Plan
from experiments.studies.peers.tables import table, verdict

HERE = "experiments.studies.peers"
PAGE, ROWS = DOCS / "peers.md", DOCS / "figures" / "peers.jsonl"
TARGETS = (0.5, 0.333)


def main(words: Sequence[str] | None = None) -> int:
    """Run what is missing in the environment of the others, and print the table."""
    asked = _parser().parse_args(words)
    networks, contenders = asked.networks.split(","), asked.contenders.split(",")
    for given, known, what in (
        (networks, NETWORKS, "networks"),
        (contenders, CONTENDERS, "contenders"),
    ):
        if wrong := [name for name in given if name not in known]:
            print(f"peers: error: --{what}: no {wrong[0]}; there are {', '.join(known)}")
            return 2
    targets = tuple(map(float, asked.targets.split(",")))
    plan = Plan(*(tuple(networks), targets, tuple(contenders), asked.seeds, asked.out, asked.runs))
    rows_of(asked, *KEYS)
    if not asked.no_run and (code := _contest(plan)):
        return code
    found = Rows(Path(asked.out), KEYS).known()  # as the other interpreter left it
    if not found:
        print(f"{asked.out} has no row yet; leave --no-run out")
        return 2
    about = {name: told for name, (told, _) in CONTENDERS.items()}
    machines = dict.fromkeys(line["machine"] for line in found.values())
    text = "\n\n".join([table(found, plan, about), verdict(found, plan), f"{'; '.join(machines)}."])
    print(text)
    if asked.docs:
        put(PAGE, "peers", text)
    return 0


def _contest(plan: Plan) -> int:
    python = python_of(FOLDER)
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [str(python), "-m", f"{HERE}.contest", plan.written()]
    try:
        return subprocess.run(command, env=variables, check=False).returncode
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    add = parser.add_argument
    add("--networks", default=",".join(NETWORKS), help="(default: %(default)s)")
    add("--targets", default=",".join(map(str, TARGETS)), help="of the time (default: %(default)s)")
    add("--contenders", default=",".join(CONTENDERS), help="(default: all of them)")
    add("--seeds", type=int, default=5, help="of each (default: 5)")
    add("--runs", default="runs/peers", help="what contenders leave (default: %(default)s)")
    add("--no-run", action="store_true", help="only make the table anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
