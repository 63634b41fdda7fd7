"""Uniform ratios, DDPG and CMA-ES on each piece of work, at equal evaluations and equal tuning.

    python -m experiments.studies.tasks --cases series,words --out runs/tasks/rows.jsonl

Every finished run is a line of the file, and the same command goes on behind it.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

import amc
from amc.evaluation import score, with_answers
from amc.parsing import look_up, read_json, read_record
from amc.tasks import replace_parts
from experiments.disk import in_short, machine
from experiments.statistics import mean_and_interval
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.studies.tasks import (
    detection,
    docstrings,
    pitch,
    segmentation,
    series,
    super_resolution,
    words,
)
from experiments.studies.tasks.case import Case, Work

CASES: Mapping[str, Case] = {
    "pitch-agreement": pitch.AGREEMENT,
    "pitch": pitch.PITCH,
    "pitch-latency": pitch.LATENCY,
    "segmentation": segmentation.CASE,
    "docstrings": docstrings.CASE,
    "words": words.CASE,
    "detection": detection.CASE,
    "super-resolution": super_resolution.CASE,
    "series": series.CASE,
}
STRATEGIES = ("uniform", "ddpg", "cma-es")
SEEDS = 3
PAGE = Path(__file__).parents[3] / "docs" / "real-work.md"


@dataclass(frozen=True)
class Row:
    """One search and what became of its network.

    Args:
        case: Its name.
        strategy: The same.
        seed: Of the search.
        unpruned: Test score of the network as it came.
        searched: Of what the search found.
        tuned: Of the same after fine-tuning.
        left: What is left of the budgeted cost.
        evaluations: That the search made.
        seconds: That it took.
    """

    case: str
    strategy: str
    seed: int
    unpruned: float
    searched: float
    tuned: float
    left: float
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class Bench:
    """A piece of work with what its rows share.

    Args:
        case: It.
        work: Its network and task.
        judge: The task with the test's samples in place of those that searches score on, and the
            unpruned network's answers to them where it is scored by these.
        tested: Test scores before and after tuning, by kept counts and seed: two strategies may
            find the same network.
    """

    case: Case
    work: Work
    judge: amc.Task
    tested: dict[tuple[tuple[int, ...], int], tuple[float, float]]

    @classmethod
    def of(cls, case: Case, *, small: bool) -> Bench:
        """Make everything."""
        work = case.make(small)
        task = work.task.for_problem(work.network, work.example)
        if task.metric is not None and task.test_loader is not None:
            task = with_answers(replace_parts(task, score_loader=task.test_loader))
        elif task.test_func is not None:
            task = replace_parts(task, score_func=task.test_func)
        return cls(case, work, task, {})

    def score(self, network: nn.Module) -> float:
        """On the test."""
        return score(network, self.judge)


def row(name: str, bench: Bench, unpruned: float, strategy: str, seed: int) -> Row:
    """Search, tune and test."""
    case, work = bench.case, bench.work
    start = time.perf_counter()
    found = amc.search(
        work.network,
        work.example,
        work.task,
        budget=case.budget,
        strategy=strategy,
        episodes=None if strategy == "uniform" else case.episodes,
        seed=seed,
        round_to=1,
        latency=work.latency,
    )
    seconds = time.perf_counter() - start
    cost = case.budget.partition("=")[0]
    same = (found.policy.kept, seed)
    if same not in bench.tested:
        tuned = copy.deepcopy(found.network)
        _tune(tuned, found.task, work, seed)
        bench.tested[same] = bench.score(found.network), bench.score(tuned)
    searched, after = bench.tested[same]
    left = found.costs[cost] / found.unpruned_costs[cost]
    done = len(found.outcomes)
    return Row(name, strategy, seed, unpruned, searched, after, left, done, seconds)


def _tune(network: nn.Module, task: amc.Task, work: Work, seed: int) -> None:
    if task.tune is not None:
        task.tune(network, work.steps)
        return
    teacher = work.network if work.teacher else None
    amc.fit(network, task, replace(work.recipe, seed=seed), steps=work.steps, teacher=teacher)


def rows(names: Sequence[str], path: Path, seeds: int, *, small: bool = False) -> list[Row]:
    """All of them, those from the file first; each new one is written at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    known = {(one.case, one.strategy, one.seed): one for one in map(_read, lines)}
    for name in names:
        case = look_up(dict(CASES), name, "case")
        left = [
            (strategy, seed)
            for seed in range(seeds)
            for strategy in STRATEGIES
            if (name, strategy, seed) not in known
        ]
        bench = Bench.of(case, small=small) if left else None
        unpruned = bench.score(bench.work.network) if bench else 0.0
        for strategy, seed in left:
            assert bench is not None
            made = row(name, bench, unpruned, strategy, seed)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(made)) + "\n")
            print(made, flush=True)
            known[name, strategy, seed] = made
    return [one for key, one in known.items() if key[0] in names and key[2] < seeds]


def _read(line: str) -> Row:
    return read_record(Row, read_json(line))


def table(name: str, found: Sequence[Row]) -> str:
    """Of one case."""
    case = CASES[name]
    lines = []
    for strategy in STRATEGIES:
        own = [one for one in found if one.case == name and one.strategy == strategy]
        if own:
            lines.append(
                (
                    strategy,
                    _range([one.left for one in own]),
                    _told([one.searched for one in own]),
                    _told([one.tuned for one in own]),
                    str(max(one.evaluations for one in own)),
                )
            )
    heads = ("strategy", "cost left", "after search", "after fine-tuning", "evaluations")
    whole = next(one.unpruned for one in found if one.case == name)
    about = f"{case.about[0].upper()}{case.about[1:]}"
    return f"{about}; `{case.budget}`; unpruned {whole:.4g}.\n\n{markdown(heads, lines)}"


def _range(parts: Sequence[float]) -> str:
    ends = [f"{end(parts):.1%}" for end in (min, max)]
    return " to ".join(dict.fromkeys(ends))


def _told(values: Sequence[float]) -> str:
    middle, half = mean_and_interval(values)
    return f"{middle:.4g} ± {half:.2g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is left, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES), help="default %(default)s")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs/tasks/rows.jsonl"))
    parser.add_argument("--docs", action="store_true", help="write them into docs/real-work.md")
    parser.add_argument("--small", action="store_true", help="tiny networks, to try the study")
    told = parser.parse_args(arguments)
    names = told.cases.split(",")
    found = rows(names, told.out, told.seeds, small=told.small)
    about = f"{in_short(machine())}, mean of {told.seeds} seeds ± half of the "
    for name in names:
        text = f"{table(name, found)}\n\n{about}95% interval."
        print(f"{text}\n")
        if told.docs:
            put(PAGE, name, text)


if __name__ == "__main__":
    main()
