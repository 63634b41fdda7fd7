"""NetAdapt cut short anywhere: what was tried is not tried again, and the end is the same."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from memory_journal import MemoryJournal
from small_networks import mixed, striped

from amc import Budget, Problem, SearchResult
from amc.finetuning import Recipe
from amc.pruning.narrowing import Narrowed, narrow
from amc.tasks import Classification
from netadapt import NetAdapt, rounds, trials


def searched(
    journal: MemoryJournal,
    granularity: str = "channel",
    noise: Callable[[], float] | None = None,
    **settings: Any,
) -> SearchResult:
    problem = Problem(
        mixed(),
        torch.zeros(1, 1, 8, 8),
        [Budget.parse("params=0.7")],
        task=Classification(
            striped(60, seed=2),
            striped(40, seed=1),
            calibration=striped(30, seed=3) if granularity == "channel" else None,
        ),
        granularity=granularity,
    )
    problem = problem.with_history(journal)
    if noise is not None:
        problem.measure["params"] = lambda kept: noise() * problem.costs["params"](kept)
    return NetAdapt(**{"reduction": 0.12, "steps": 2, **settings}).search(problem, seed=4)


def told(result: SearchResult) -> list[tuple[Any, ...]]:
    return [(o.number, o.kept, o.score, o.costs) for o in result.outcomes]


@pytest.mark.parametrize("granularity", ["channel", "kernel"])
def test_wherever_it_is_cut_short_it_ends_the_same(
    granularity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(MemoryJournal(), granularity)
    assert whole.weights is not None
    assert whole.tuned_steps > 2
    tries: list[int] = []
    tune = trials.tune
    monkeypatch.setattr(trials, "tune", lambda *a, **k: (tries.append(1), tune(*a, **k))[1])
    journal, ended = MemoryJournal(0), None
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
    journal = MemoryJournal()
    whole = searched(journal)
    monkeypatch.setattr(trials, "tune", None)
    monkeypatch.setattr(rounds, "Narrowing", None)
    again = searched(journal)
    assert told(again) == told(whole)
    assert [o.seconds for o in again.outcomes] == [o.seconds for o in whole.outcomes]


def test_what_a_device_answered_is_not_asked_again() -> None:
    """Another time it would answer otherwise, and the loop take another way."""
    answers: list[float] = []

    def noise(most: float = math.inf) -> float:
        if len(answers) >= most:
            raise OSError("interrupted")
        answers.append(1 + 0.1 * random.Random(len(answers)).random())
        return answers[-1]

    whole = searched(MemoryJournal(), noise=noise)
    wanted, journal, ended = answers.copy(), MemoryJournal(), None
    answers.clear()
    while ended is None:
        with contextlib.suppress(OSError):
            ended = searched(journal, noise=partial(noise, len(answers) + 1))
    assert answers == wanted
    assert len(answers) > 1
    assert told(ended) == told(whole)


def test_a_network_that_is_gone_is_told() -> None:
    journal = MemoryJournal()
    searched(journal)
    journal.states.clear()
    with pytest.raises(ValueError, match=r"checkpoint of 'netadapt \d' is gone .*--overwrite"):
        searched(journal)


def test_a_proposal_that_diverges_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    tune, count = trials.tune, 0

    def sometimes(*args: Any, **settings: Any) -> Any:
        nonlocal count
        count += 1
        if count % 2:
            raise FloatingPointError("the loss became nan")
        return tune(*args, **settings)

    monkeypatch.setattr(trials, "tune", sometimes)
    journal = MemoryJournal()
    result = searched(journal)
    diverged = [outcome for outcome in result.outcomes if outcome.number % 2 == 0]
    assert all(outcome.score == 0 for outcome in diverged)
    assert result.best not in diverged


def test_where_all_diverge_the_rate_is_to_be_lowered() -> None:
    with pytest.raises(FloatingPointError, match=r"every proposal of iteration 0 .*--options.lr"):
        searched(MemoryJournal(), recipe=Recipe(lr=1e30), steps=5)


@pytest.mark.parametrize("granularity", ["channel", "element"])
def test_a_network_comes_back_whole(granularity: str) -> None:
    problem = Problem(
        mixed(),
        torch.zeros(1, 1, 8, 8),
        [],
        task=Classification(None, striped(9, seed=1)),
        granularity=granularity,
    )
    start = Narrowed.start(problem.model, problem.graph)
    once = narrow(start, tuple(units - 1 for units in start.kept), "l1")
    twice = narrow(once, tuple(units - 1 for units in once.kept), "l2")
    found = Narrowed.unpack(start, twice.pack())
    assert (found.graph, found.kept, found.units) == (twice.graph, twice.kept, twice.units)
    image = striped(5, seed=2).inputs
    with torch.no_grad():
        assert torch.equal(found.network(image), twice.network(image))
    # And is narrowed on as the one that never left.
    further = tuple(units - 1 for units in twice.kept)
    ours, theirs = (narrow(state, further, "l1") for state in (found, twice))
    assert (ours.units, ours.graph) == (theirs.units, theirs.graph)
