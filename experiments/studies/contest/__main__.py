"""Strategies at equal evaluations: `python -m experiments.studies.contest`.

Four networks on Fashion-MNIST at 15% of their MACs and at a third of their time in onnxruntime, as
on the command line with its defaults: whole branches may go, widths are whole blocks, the refit
reads 4,000 training images. All strategies search the same problem, on the same held-out images.
The best policy of each search is then measured on other held-out images, so that the luckiest pick
does not count. Nothing is fine-tuned; `experiments.studies.worth` is about what is left after that.

The weights of three networks come with the project; vgg-small is trained first. Every finished
search is a line of the file at once, and the same command goes on after any stop.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from joblib import Parallel, delayed

from experiments.studies.contest.material import BUDGETS, NETWORKS, get_ready
from experiments.studies.contest.picture import draw
from experiments.studies.contest.records import Journal
from experiments.studies.contest.reporting import Progress
from experiments.studies.contest.searching import Record, run_contender
from experiments.studies.contest.study import Contender, Study, Task
from experiments.studies.contest.tables import contest
from experiments.studies.flags import DOCS, parser_of
from experiments.studies.pages import put

HERE = "experiments.studies.contest"
PAGE, FIGURES = DOCS / "agents.md", DOCS / "figures"
ROWS = FIGURES / "contest.jsonl"


def main(words: Sequence[str] | None = None) -> int:
    """Run what is missing, print the tables and write them; 0 when done, 130 after Ctrl-C."""
    asked = _parser().parse_args(words)
    counts, seeds = tuple(sorted(asked.evaluations)), tuple(range(asked.seeds))
    study = Study(Contender.all(), tuple(NETWORKS), BUDGETS, counts, seeds)
    try:
        journal = Journal(Path(asked.out))
        if asked.anew:
            journal.forget()
        missing = [] if asked.no_run else journal.missing(study, asked.only)
    except (LookupError, OSError, ValueError) as error:
        print(f"contest: error: {error}", file=sys.stderr)
        return 2
    code = _run(journal, missing, asked.jobs, asked.hours)
    text = contest(study, journal.of(study))
    print(text)
    if asked.docs:
        put(PAGE, "agents", text)
        draw(study, journal.of(study), FIGURES / "agents.svg")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(HERE, __doc__, ROWS)
    add = parser.add_argument
    add("--jobs", type=_count, default=1, help="processes of one thread each (default 1)")
    add("--seeds", type=_count, default=7, help="searches of each kind (default 7)")
    add(
        "--evaluations",
        type=lambda text: [_count(word) for word in text.split(",")],
        default=[100, 300],
        help="numbers of evaluations to compare at (default 100,300)",
    )
    add(
        "--only",
        type=lambda text: [word.strip() for word in text.split(",")],
        default=[],
        help="networks, budgets, strategies, seeds to run: resnet20,macs=0.15,residual-gp,seed=0",
    )
    add("--hours", type=float, default=2.0, help="after which nothing new begins (default 2)")
    add("--no-run", action="store_true", help="only make tables and picture anew")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _run(journal: Journal, missing: Sequence[Task], jobs: int, hours: float) -> int:
    """Run tasks in their order, write each down as it ends; 130 if interrupted."""
    if not missing:
        return 0
    progress, end = Progress(missing), time.monotonic() + 3600 * hours
    try:
        get_ready({(task.network, task.budget) for task in missing})
        for task, records in _searches(missing, jobs, end):
            journal.add(records)
            print(progress.line(task, records), file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted; started again, it goes on from here", file=sys.stderr)
        return 130
    return 0


def _searches(tasks: Sequence[Task], jobs: int, end: float) -> Iterable[tuple[Task, list[Record]]]:
    """Tasks with their records, as they end; none begins after `end`."""
    in_time = (task for task in tasks if time.monotonic() < end)
    if jobs == 1:
        return map(_with_records, in_time)
    # No task is handed out before a process is free for it, so that the order holds.
    parallel = Parallel(
        n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )
    found: Iterable[tuple[Task, list[Record]]] = parallel(map(delayed(_with_records), in_time))
    return found


def _with_records(task: Task) -> tuple[Task, list[Record]]:
    return task, run_contender(task)


if __name__ == "__main__":
    sys.exit(main())
