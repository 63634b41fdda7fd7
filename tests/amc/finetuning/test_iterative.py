"""Iterative pruning: its stages, its steps, and real networks narrowed and masked in turn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from tiny_networks import samples, tiny
from torch import nn

from amc.finetuning import Recipe, fit
from amc.finetuning.iterative import Plan, prune_iteratively
from amc.finetuning.schedule import Kept, Schedule
from amc.pruning import decisions
from amc.pruning.narrowing import Narrowed, narrow
from amc.tracing.build import trace

RECIPE = Recipe(epochs=6, batch_size=16, lr=0.02, seed=3)
DATA = samples(48)


@dataclass(frozen=True)
class State:
    """A network that only claims to be narrower."""

    network: nn.Module
    kept: Kept


def narrowed(state: State, kept: Kept) -> State:
    return State(copy.deepcopy(state.network), kept)


def plan(kind: str = "linear", stages: int = 3, **changes: Any) -> Plan:
    return Plan(Schedule(kind, stages), replace(RECIPE, **changes))


def equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def test_it_prunes_and_fine_tunes_in_turn() -> None:
    start = State(tiny("perceptron"), (9, 7))
    asked: list[Kept] = []
    seen: list[nn.Module] = []

    def watched(state: State, kept: Kept) -> State:
        asked.append(kept)
        seen.append(state.network)
        return narrowed(state, kept)

    stages: list[State] = []
    end = prune_iteratively(start, (3, 4), plan(), DATA, narrow=watched, on_stage=stages.append)
    assert asked == [(7, 6), (5, 5), (3, 4)]
    assert [stage.kept for stage in stages] == asked
    assert seen == [start.network, stages[0].network, stages[1].network]
    assert end is stages[-1]
    assert not equal(stages[0].network, stages[1].network)


def test_the_start_is_left_alone() -> None:
    start = State(tiny("perceptron"), (9, 7))
    prune_iteratively(start, (3, 4), plan(), DATA, narrow=narrowed)
    assert equal(start.network, tiny("perceptron"))


def test_one_shot_is_pruning_and_then_fitting() -> None:
    start = State(tiny("perceptron"), (9, 7))
    found = prune_iteratively(start, (3, 4), plan("one-shot"), DATA, narrow=narrowed)
    assert equal(found.network, fit(tiny("perceptron"), DATA, RECIPE))


def test_steps_are_told_as_part_of_all_and_add_up_to_the_recipe() -> None:
    told: list[tuple[int, int]] = []
    prune_iteratively(
        State(tiny("perceptron"), (9, 7)),
        (3, 4),
        plan(stages=4),
        DATA,
        narrow=narrowed,
        on_step=lambda done, total, loss: told.append((done, total)),
    )
    assert told == [(step, 18) for step in range(1, 19)]


def test_no_epochs_prune_without_fine_tuning() -> None:
    start = State(tiny("perceptron"), (9, 7))
    found = prune_iteratively(start, (3, 4), plan(epochs=0), DATA, narrow=narrowed)
    assert found.kept == (3, 4)
    assert equal(found.network, start.network)


def test_the_same_plan_gives_the_same_weights_and_another_seed_does_not() -> None:
    ends = [
        prune_iteratively(
            State(tiny("perceptron"), (9, 7)), (3, 4), plan(seed=seed), DATA, narrow=narrowed
        ).network
        for seed in (1, 1, 2)
    ]
    assert equal(ends[0], ends[1])
    assert not equal(ends[0], ends[2])


def test_every_stage_may_have_a_teacher_and_stop_early() -> None:
    told: list[int] = []
    teacher = tiny("perceptron", seed=2)
    careful = plan(distill=0.5, patience=1, lr=1e-9)
    prune_iteratively(
        State(tiny("perceptron"), (9, 7)),
        (3, 4),
        careful,
        DATA,
        narrow=narrowed,
        holdout=samples(30, seed=1),
        teacher=teacher,
        on_step=lambda done, total, loss: told.append(done),
    )
    # Nothing is learned at that rate, so that the first check of each stage is the last.
    assert told == [1, 7, 13]


def channels(**options: Any) -> Callable[[Narrowed, Kept], Narrowed]:
    return partial(narrow, criterion="l1", **options)


@pytest.mark.parametrize("name", ["residual", "depthwise", "flattened"])
def test_a_real_network_ends_at_its_kept_counts(name: str) -> None:
    model = tiny(name)
    graph = trace(model, DATA.inputs[:1])
    start = Narrowed.start(model, graph)
    target = tuple(max(1, units // 2) for units in graph.full)
    end = prune_iteratively(start, target, plan("cubic"), DATA, narrow=channels())
    assert end.kept == target
    assert trace(end.network, DATA.inputs[:1]).full == target or name == "depthwise"
    assert equal(model, tiny(name))


def test_without_fine_tuning_stages_end_where_one_cut_does() -> None:
    model = tiny("flattened")
    graph = trace(model, DATA.inputs[:1])
    start, target = Narrowed.start(model, graph), tuple(units - 2 for units in graph.full)
    still = prune_iteratively(start, target, plan(stages=2, epochs=0), DATA, narrow=channels())
    at_once = channels()(start, target)
    assert equal(still.network, at_once.network)


def test_masked_weights_stay_at_zero_from_stage_to_stage() -> None:
    model = tiny("residual")
    graph = decisions(model, DATA.inputs[:1], "element")
    target = tuple(units // 4 for units in graph.full)
    stages: list[list[int]] = []

    def zeros(state: Narrowed) -> None:
        layers = (state.network.get_submodule(group.name) for group in graph.groups)
        stages.append([int((layer.weight != 0).sum()) for layer in layers])

    start = Narrowed.start(model, graph)
    end = prune_iteratively(start, target, plan("cubic"), DATA, narrow=channels(), on_stage=zeros)
    wanted = [list(kept) for kept in Schedule("cubic", 3).kept(graph.full, target)]
    assert stages == wanted
    assert end.kept == target
