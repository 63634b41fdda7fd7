"""Batches of candidates: the same whoever measures them, and nothing finished is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from memory_journal import MemoryJournal
from torch import nn

from amc import Budget, Outcome, Problem, Samples, side_by_side
from amc.evaluation import Measured
from amc.evaluator import Evaluator
from amc.graph import Kept
from amc.problem import SearchResult, Strategy
from amc.rules import Sensitivity
from amc.strategies import GP, TPE, CmaEs, Evolution, Front, RandomSearch, ResidualGP
from amc.tasks import Classification
from amc.workers import InTurn, Processes, Workers


def problem(**options: float) -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 3)
    )
    inputs = torch.randn(80, 6)
    samples = Samples(inputs, (inputs[:, :3] > 0).sum(1) % 3)
    task = Classification(None, samples, calibration=samples)
    return Problem(model, inputs[:1], [Budget.parse("macs=0.5")], task, **options)


def told(result: SearchResult) -> list[tuple[Kept, float]]:
    return [(one.kept, one.score) for one in result.outcomes]


class Backwards:
    """Workers of whom the last is always the first to be done."""

    def __call__(
        self, evaluator: Evaluator, candidates: Sequence[Kept]
    ) -> Iterator[tuple[int, Measured]]:
        yield from reversed(list(InTurn()(evaluator, candidates)))


BATCHED: tuple[Callable[[int], Strategy], ...] = (
    lambda batch: ResidualGP(14, batch=batch),
    lambda batch: Front(14, points=2, batch=batch),
    lambda batch: Evolution(14, batch=batch),
    lambda batch: RandomSearch(14, batch=batch),
    lambda batch: CmaEs(14, batch=batch),
    lambda batch: TPE(14, batch=batch),
    lambda batch: GP(14, batch=batch),
    lambda batch: Sensitivity(3),
)


@pytest.mark.parametrize("made", BATCHED)
def test_the_result_hangs_on_the_batch_alone(made: Callable[[int], Strategy]) -> None:
    def searched(batch: int, workers: Workers | None) -> list[tuple[Kept, float]]:
        return told(made(batch).search(problem().with_workers(workers), 0))

    four = searched(4, InTurn())
    assert searched(4, Backwards()) == four
    assert searched(1, InTurn()) == searched(1, None)
    assert len(four) <= 14


@pytest.mark.parametrize("made", BATCHED[:-1])
def test_a_batch_holds_different_candidates_and_no_more_than_are_left(
    made: Callable[[int], Strategy],
) -> None:
    sizes: list[int] = []

    class Counting:
        def __call__(
            self, evaluator: Evaluator, candidates: Sequence[Kept]
        ) -> Iterator[tuple[int, Measured]]:
            sizes.append(len(candidates))
            assert len(set(candidates)) == len(candidates)
            yield from InTurn()(evaluator, candidates)

    made(4).search(problem().with_workers(Counting()), 0)
    assert max(sizes) > 1
    assert max(sizes) <= 4


def test_processes_measure_to_the_last_bit_what_one_does() -> None:
    whole = told(ResidualGP(10, batch=4).search(problem().with_workers(InTurn()), 0))
    assert told(ResidualGP(10, batch=4).search(problem().with_workers(Processes(2)), 0)) == whole


def killed_once(evaluator: Evaluator, kept: Kept) -> Measured:
    """The first time that anybody measures, the process is killed."""
    try:
        Path(os.environ["KILLED"]).touch(exist_ok=False)
    except FileExistsError:
        return evaluator.whole(kept)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_process_that_is_killed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from joblib.externals.loky import get_reusable_executor

    monkeypatch.setenv("KILLED", str(tmp_path / "killed"))
    get_reusable_executor().shutdown(wait=True, kill_workers=True)  # New ones see the variable.
    monkeypatch.setattr("amc.workers.measured", killed_once)
    found = ResidualGP(10, batch=4).search(problem().with_workers(Processes(2)), 0)
    monkeypatch.undo()
    assert (tmp_path / "killed").exists()
    assert told(found) == told(ResidualGP(10, batch=4).search(problem().with_workers(InTurn()), 0))


def test_what_is_finished_of_a_batch_is_in_the_journal_and_not_done_again() -> None:
    journal, asked = MemoryJournal(), list[Kept]()

    class Lost:
        """Is gone after two of each batch."""

        def __call__(
            self, evaluator: Evaluator, candidates: Sequence[Kept]
        ) -> Iterator[tuple[int, Measured]]:
            for at, kept in enumerate(candidates):
                if at == 2:
                    raise side_by_side.LostWorkersError
                asked.append(kept)
                yield at, evaluator.whole(kept)

    strategy = RandomSearch(10, batch=4)
    for _ in range(6):
        try:
            end = strategy.search(problem().with_history(journal).with_workers(Lost()), 0)
        except side_by_side.LostWorkersError:
            continue
        break
    assert len(asked) == len(set(asked))
    assert told(end) == told(strategy.search(problem().with_workers(InTurn()), 0))


def test_numbers_are_in_the_order_that_was_asked_for() -> None:
    asked = problem().with_workers(Backwards())
    candidates = [(10, 10), (5, 5), (10, 10), (8, 3)]
    found: list[Outcome] = asked.evaluate_all(candidates)
    assert [one.kept for one in found] == candidates
    assert [one.number for one in found] == [0, 1, 0, 2]
    assert len(asked.outcomes) == 3


def test_races_go_without_workers() -> None:
    with pytest.raises(ValueError, match="leave one of the two out"):
        problem(racing=0.01).with_workers(InTurn())
