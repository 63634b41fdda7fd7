"""NetAdapt cut short anywhere: what was tried is not tried again, and the end is the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from small_networks import mixed, striped
from torch import Tensor

from amc import Budget, Problem, SearchResult
from amc.finetuning import Recipe
from amc.journal import Blank
from amc.narrowing import Narrowed, narrow
from netadapt import NetAdapt, walk


class Kept(Blank):
    """A journal in memory, which can be full."""

    def __init__(self, room: float = math.inf) -> None:
        self.notes: dict[str, Mapping[str, Any]] = {}
        self.states: dict[str, Mapping[str, Tensor]] = {}
        self.room = room

    def recall(self, name: str) -> Any:
        return self.notes.get(name)

    def recall_state(self, name: str) -> Any:
        found = self.states.get(name)
        return found and {key: tensor.clone() for key, tensor in found.items()}

    def note(self, name: str, found: Mapping[str, Any]) -> None:
        self._use()
        self.notes[name] = dict(found)

    def note_state(self, name: str, state: Mapping[str, Tensor]) -> None:
        self._use()
        self.states[name] = {key: tensor.detach().clone() for key, tensor in state.items()}

    def forget_state(self, name: str) -> None:
        if name in self.states:
            self._use()
            del self.states[name]

    def _use(self) -> None:
        if self.room <= 0:
            raise OSError("full")
        self.room -= 1


def searched(journal: Kept, granularity: str = "channel", **settings: Any) -> SearchResult:
    problem = Problem(
        mixed(),
        torch.zeros(1, 1, 8, 8),
        [Budget.parse("params=0.7")],
        holdout=striped(40, seed=1),
        train=striped(60, seed=2),
        calibration=striped(30, seed=3) if granularity == "channel" else None,
        granularity=granularity,
    )
    problem.journal = journal
    return NetAdapt(**{"reduction": 0.12, "steps": 2, **settings}).search(problem, seed=4)


def told(result: SearchResult) -> list[tuple[Any, ...]]:
    return [(o.number, o.kept, o.accuracy, o.costs) for o in result.outcomes]


@pytest.mark.parametrize("granularity", ["channel", "kernel"])
def test_wherever_it_is_cut_short_it_ends_the_same(
    granularity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(Kept(), granularity)
    assert whole.weights is not None
    assert whole.tuned_steps > 2
    tries: list[int] = []
    fit = walk.fit
    monkeypatch.setattr(walk, "fit", lambda *a, **k: (tries.append(1), fit(*a, **k))[1])
    journal, ended = Kept(0), None
    while ended is None:
        journal.room = 3  # Of each sitting: it is cut short at every third thing that it writes.
        before = len(journal.notes)
        try:
            ended = searched(journal, granularity)
        except OSError:
            assert len(journal.notes) > before or journal.room == 0
    assert told(ended) == told(whole)
    assert ended.weights is not None
    for name, tensor in whole.weights.items():
        assert torch.equal(ended.weights[name], tensor)
        assert ended.weights[name].stride() == tensor.stride()
    assert len(journal.states) == 1
    # What was written is not done again: at most one proposal a sitting was lost.
    assert len(tries) < 2 * len(whole.outcomes)


def test_a_finished_walk_is_told_without_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Kept()
    whole = searched(journal)
    monkeypatch.setattr(walk, "fit", None)
    monkeypatch.setattr(walk, "Narrowing", None)
    again = searched(journal)
    assert told(again) == told(whole)
    assert [o.seconds for o in again.outcomes] == [o.seconds for o in whole.outcomes]


def test_a_network_that_is_gone_is_told() -> None:
    journal = Kept()
    searched(journal)
    journal.states.clear()
    with pytest.raises(ValueError, match=r"checkpoint of 'netadapt \d' is gone .*--overwrite"):
        searched(journal)


def test_a_proposal_that_diverges_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, count = walk.fit, 0

    def sometimes(*args: Any, **settings: Any) -> Any:
        nonlocal count
        count += 1
        if count % 2:
            raise FloatingPointError("the loss became nan")
        return fit(*args, **settings)

    monkeypatch.setattr(walk, "fit", sometimes)
    journal = Kept()
    result = searched(journal)
    diverged = [outcome for outcome in result.outcomes if outcome.number % 2 == 0]
    assert all(outcome.accuracy == 0 for outcome in diverged)
    assert result.best not in diverged


def test_where_all_diverge_the_rate_is_to_be_lowered() -> None:
    with pytest.raises(FloatingPointError, match=r"every proposal of iteration 0 .*--options.lr"):
        searched(Kept(), recipe=Recipe(lr=1e30), steps=5)


@pytest.mark.parametrize("granularity", ["channel", "element"])
def test_a_network_comes_back_whole(granularity: str) -> None:
    problem = Problem(
        mixed(), torch.zeros(1, 1, 8, 8), [], holdout=striped(9, seed=1), granularity=granularity
    )
    start = Narrowed.start(problem.model, problem.graph)
    once = narrow(start, tuple(units - 1 for units in start.kept), "l1")
    twice = narrow(once, tuple(units - 1 for units in once.kept), "l2")
    found = Narrowed.unpacked(start, twice.packed())
    assert (found.graph, found.kept, found.units) == (twice.graph, twice.kept, twice.units)
    image = striped(5, seed=2).inputs
    with torch.no_grad():
        assert torch.equal(found.network(image), twice.network(image))
    # And is narrowed on as the one that never left.
    further = tuple(units - 1 for units in twice.kept)
    ours, theirs = (narrow(state, further, "l1") for state in (found, twice))
    assert (ours.units, ours.graph) == (theirs.units, theirs.graph)
