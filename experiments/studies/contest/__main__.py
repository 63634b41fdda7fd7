"""Strategies at equal evaluations: `python -m experiments.studies.contest`.

resnet20 and mobilenet-v1 (0.5) on Fashion-MNIST with the weights that come with the project, at 30%
and 15% of their MACs. All strategies search the same problem: single channels, the same criterion,
refit, calibration images and held-out images. The best policy of each search is then measured on
other held-out images, so that the luckiest pick does not count. With `--ablation` the parts of
`gp-rollout` are switched off in turn; its files are called by the numbers of evaluations.

Every finished search is written to OUT/runs.jsonl at once; started again, the benchmark goes on.
The tables, the picture and the figures are made of what is there, at the end and after Ctrl-C.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from joblib import Parallel, delayed

from experiments.disk import ready_folder
from experiments.studies.contest.material import NETWORKS
from experiments.studies.contest.records import Journal
from experiments.studies.contest.reporting import Progress
from experiments.studies.contest.searching import Record, run_contender
from experiments.studies.contest.study import NAMES, Contender, Study, Task
from experiments.studies.contest.variants import contenders
from experiments.studies.contest.writing import write
from experiments.studies.pages import put
from experiments.zoo import check_device

PAGE = Path("docs/agents.md")
FIGURES = Path("docs/figures")
BUDGETS = ("macs=0.3", "macs=0.15")


def main(words: Sequence[str] | None = None) -> int:
    """Run what is missing, print the tables and write them; 0 when done, 130 after Ctrl-C."""
    options = _parser().parse_args(words)
    kind = "ablation" if options.ablation else "agents"
    study = replace(studies(options.seeds, options.evaluations)[kind], device=options.device)
    name = "-".join([kind, *map(str, study.evaluations)]) if options.ablation else kind
    try:
        check_device(options.device)
        folder = ready_folder(options.out)
        journal = Journal(folder / "runs.jsonl")
        missing = [] if options.no_run else journal.missing(study, options.only)
    except (LookupError, OSError, ValueError) as error:
        print(f"contest: error: {error}", file=sys.stderr)
        return 2
    code = _run(journal, missing, options.jobs)
    print(write(study, journal.of(study), folder, name, _command(options)))
    if options.docs:
        _to_docs(folder, name)
    return code


def studies(seeds: int, evaluations: Sequence[int]) -> dict[str, Study]:
    """The contest, and the ablation, which takes the tightest budget alone."""
    names, counts = tuple(NETWORKS), tuple(sorted(evaluations))
    named, numbers = tuple(map(Contender.of_name, NAMES)), tuple(range(seeds))
    return {
        "agents": Study(named, names, BUDGETS, counts, numbers),
        "ablation": Study(contenders(), names, BUDGETS[-1:], counts, numbers),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.studies.contest",
        description="Strategies against each other at equal evaluations.",
    )
    add = parser.add_argument
    add("--jobs", type=_count, default=1, help="processes of one thread each (default 1)")
    add("--device", default="cpu", help="where networks compute: cpu or cuda (default cpu)")
    add("--out", default="runs/agents", help="folder (default runs/agents)")
    add("--seeds", type=_count, default=5, help="searches of each kind (default 5)")
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
        help="networks, budgets, strategies, seeds to run: resnet20,macs=0.3,gp-rollout,seed=0",
    )
    add(
        "--ablation",
        action="store_true",
        help="switch off parts of gp-rollout in turn, at macs=0.15",
    )
    add("--no-run", action="store_true", help="only make tables and picture anew")
    add("--docs", action="store_true", help=f"put them into {PAGE} and {FIGURES} too")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _command(options: argparse.Namespace) -> str:
    """What makes the same figures, wherever and in however many goes."""
    counts = ",".join(map(str, options.evaluations))
    extra = " --ablation" if options.ablation else ""
    extra += "" if options.device == "cpu" else f" --device {options.device}"
    seeds = f"--seeds {options.seeds}"
    return f"python -m experiments.studies.contest {seeds} --evaluations {counts}{extra}"


def _run(journal: Journal, missing: Sequence[Task], jobs: int) -> int:
    """Run tasks in their order, write each down as it ends; 130 if interrupted."""
    progress = Progress(missing)
    try:
        for task, records in _searches(missing, jobs):
            journal.add(records)
            print(progress.line(task, records), file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted; started again, it goes on from here", file=sys.stderr)
        return 130
    return 0


def _searches(tasks: Sequence[Task], jobs: int) -> Iterable[tuple[Task, list[Record]]]:
    """Tasks with their records, as they end."""
    if jobs == 1:
        return map(_with_records, tasks)
    # No task is handed out before a process is free for it, so that the order holds.
    parallel = Parallel(
        n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )
    found: Iterable[tuple[Task, list[Record]]] = parallel(map(delayed(_with_records), tasks))
    return found


def _with_records(task: Task) -> tuple[Task, list[Record]]:
    return task, run_contender(task)


def _to_docs(folder: Path, name: str) -> None:
    """Tables into the page, figures beside it."""
    put(PAGE, name, (folder / f"{name}.md").read_text(encoding="utf-8").strip())
    FIGURES.mkdir(parents=True, exist_ok=True)
    for made in (f"{name}.json", f"{name}.svg"):
        if (folder / made).is_file():
            shutil.copyfile(folder / made, FIGURES / made)


if __name__ == "__main__":
    sys.exit(main())
