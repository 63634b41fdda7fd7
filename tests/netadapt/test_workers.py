"""Workers that are lost or hang: what they had is tried again, and what is finished stays so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import unlucky_workers
from joblib import Parallel
from joblib.externals.loky import get_reusable_executor
from memory_journal import MemoryJournal
from small_networks import mixed, striped

from amc import Budget, Problem, Recipe, SearchResult, side_by_side
from amc.devices import one_thread
from amc.journal import Entry
from amc.tasks import Classification
from netadapt import NetAdapt

LOOP = NetAdapt(reduction=0.1, decay=1.0, steps=1, recipe=Recipe(lr=0.05, batch_size=32))


def searched(loop: NetAdapt, journal: MemoryJournal) -> SearchResult:
    problem = Problem(
        mixed(),
        torch.zeros(1, 1, 8, 8),
        [Budget.parse("macs=0.85")],
        task=Classification(striped(100, seed=2), striped(60, seed=1), calibration=None),
    )
    problem = problem.with_history(journal)
    return loop.search(problem, seed=0)


def told(result: SearchResult) -> list[Any]:
    assert result.weights is not None
    weights = [tensor.tolist() for tensor in result.weights.values()]
    return [weights, *((o.number, o.kept, o.score) for o in result.outcomes)]


class Seen(MemoryJournal):
    """Tells workers, by files, how much is noted."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def note(self, key: str, entry: Entry) -> None:
        super().note(key, entry)
        (self.folder / f"noted {len(self.notes)}").touch()


@pytest.mark.timeout(400)
def test_what_a_lost_and_a_hung_worker_had_is_tried_once_more_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(unlucky_workers.FOLDER, str(tmp_path))
    # New workers inherit it.
    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    monkeypatch.setattr(side_by_side, "_in_process", unlucky_workers.unlucky)
    # Of which new workers take some to start, on a busy machine many.
    result = searched(replace(LOOP, jobs=2, timeout=45), Seen(tmp_path))
    assert told(result) == told(searched(LOOP, MemoryJournal()))
    assert (tmp_path / "killed").exists()
    assert (tmp_path / "hung").exists()
    tries = [path.name.split(" ", 2)[2] for path in tmp_path.glob("try *")]
    assert len(set(tries)) == len(result.outcomes)
    # Of each accident what both workers had, at most.
    assert 2 <= len(tries) - len(set(tries)) <= 4


def test_workers_that_hang_twice_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "_in_process", unlucky_workers.hanging)
    with pytest.raises(RuntimeError, match=r"within 0\.1 s, twice; .*--options\.timeout"):
        searched(replace(LOOP, jobs=2, timeout=0.1), MemoryJournal())


def test_workers_that_are_lost_twice_are_an_error_and_what_is_finished_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_this_process(parallel: Any, calls: Iterable[Any]) -> Iterator[Any]:
        """One is finished, and then no worker is left."""
        function, words, _ = next(iter(calls))
        yield function(*words)
        raise BrokenProcessPool

    monkeypatch.setattr(Parallel, "__call__", in_this_process)
    monkeypatch.setattr(side_by_side, "_leave_with", lambda *_: None)
    journal = MemoryJournal()
    lost = r"was ended from outside, twice; .*--options\.jobs"
    with one_thread(), pytest.raises(RuntimeError, match=lost):
        searched(replace(LOOP, jobs=2), journal)
    before = dict(journal.notes)
    assert len(before) == 2
    assert told(searched(LOOP, journal)) == told(searched(LOOP, MemoryJournal()))
    assert all(journal.notes[name] is note for name, note in before.items())


@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_a_timeout_that_nothing_can_keep_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="it must be above 0"):
        NetAdapt(timeout=timeout)
