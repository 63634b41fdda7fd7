"""The routes of the study of accuracy against sparsity."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from amc.costs import COSTS, Limits, kept_weights
from amc.finetuning import Plan, Recipe, Schedule, fit, prune_iteratively
from amc.graph import Kept, PruningGraph
from amc.policy import Budget
from amc.pruning import Narrowed, Pruner, decisions, narrow
from amc.rules import global_counts
from amc.tasks import Samples
from experiments.studies.accuracies import accuracy
from experiments.zoo import build_model, load_dataset

GOAL = 0.9
DENSE, TRAINED_ON = "dense", "dense, trained on"
PRUNED = ("iterative", "one shot", "not retrained")


@dataclass(frozen=True)
class Study:
    """What is trained and pruned.

    Args:
        model: Short name of the network.
        dataset: Short name of the data set.
        width: Factor on its channels.
        dense_epochs: Of training from scratch.
        lr: Peak rate of training.
        rate: Peak rate of retraining, as a fraction of it.
        shift: Largest random shift of an image, in pixels.
        flip: Mirror images at random.
        stages: Of the iterative schedule up to 90%.
        epochs: Of retraining up to 90%; the dense network is trained on, and every network pruned
            in one shot is retrained, for as long.
        last: Share of them of the last stage.
        beyond: Sparsities that the iterative route goes on to.
        beyond_epochs: Of retraining at each of these.
        retrained: Sparsities of the one-shot route.
        bare: Sparsities measured without retraining.
        images: Training images at most; 0 takes all.
    """

    model: str = "alexnet-small"
    dataset: str = "fashion-mnist"
    width: float = 1.0
    dense_epochs: float = 30
    lr: float = 0.05
    rate: float = 0.5
    shift: int = 1
    flip: bool = True
    stages: int = 5
    epochs: float = 15
    last: float = 0.6
    beyond: tuple[float, ...] = (0.95, 0.98)
    beyond_epochs: float = 5
    retrained: tuple[float, ...] = (0.9, 0.95)
    bare: tuple[float, ...] = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    images: int = 0

    def recipe(self, seed: int) -> Recipe:
        """Of the dense network."""
        return Recipe(
            epochs=self.dense_epochs,
            lr=self.lr,
            warmup=0.1,
            shift=self.shift,
            flip=self.flip,
            seed=seed,
        )

    def retraining(self, seed: int) -> Recipe:
        """Of what is pruned."""
        return replace(self.recipe(seed), lr=self.lr * self.rate, warmup=0.0, epochs=self.epochs)

    def samples(self) -> tuple[Samples, Samples]:
        """Those for training and for testing."""
        splits = load_dataset(self.dataset).splits()
        train = splits.train.take(slice(0, self.images or len(splits.train)))
        return train.held(), splits.test.held()


@dataclass(frozen=True)
class Point:
    """One network.

    Args:
        route: How it came about: `DENSE`, `TRAINED_ON` or one of `PRUNED`.
        sparsity: Fraction of all weights that are zero, in [0, 1].
        accuracy: On the test images, in [0, 1].
    """

    route: str
    sparsity: float
    accuracy: float


def train_dense(study: Study, seed: int) -> nn.Module:
    """The dense network of one seed."""
    torch.set_num_threads(1)
    dataset = load_dataset(study.dataset)
    torch.manual_seed(seed)
    model = build_model(study.model, dataset.channels, len(dataset.classes), study.width)
    return fit(model, study.samples()[0], study.recipe(seed))


class Case:
    """One trained network, never changed, and all that is measured of it."""

    def __init__(self, study: Study, seed: int, network: nn.Module) -> None:
        self._study, self._network = study, network
        self._train, self._test = study.samples()
        self._recipe = study.retraining(seed)
        self._graph = decisions(network, self._train.floats(slice(0, 1)), "element")
        self._pruner = Pruner.of(network, self._graph, "l1", calibration=self._train)

    def dense(self) -> list[Point]:
        return [self._point(DENSE, self._network, self._graph.full)]

    def trained_on(self) -> list[Point]:
        network = fit(copy.deepcopy(self._network), self._train, self._recipe)
        return [self._point(TRAINED_ON, network, self._graph.full)]

    def iterative(self) -> list[Point]:
        """After every stage up to 90%, and beyond."""
        points: list[Point] = []
        study, start = self._study, Narrowed.start(self._network, self._graph)
        plan = Plan(Schedule("cubic", study.stages, study.last), self._recipe)
        state = self._pruned(start, GOAL, plan, points)
        further = replace(self._recipe, epochs=study.beyond_epochs)
        for sparsity in study.beyond:
            state = self._pruned(state, sparsity, Plan(Schedule(), further), points)
        return points

    def _pruned(
        self, state: Narrowed, sparsity: float, plan: Plan, points: list[Point]
    ) -> Narrowed:
        return prune_iteratively(
            state,
            tuple(map(min, self.kept(sparsity), state.kept)),
            plan,
            self._train,
            narrow=lambda now, kept: narrow(now, kept, "l1"),
            full=self._graph.full,
            on_stage=lambda now: points.append(self._point("iterative", now.network, now.kept)),
        )

    def one_shot(self, sparsity: float) -> list[Point]:
        kept = self.kept(sparsity)
        network = fit(self._pruner.trainable(kept), self._train, self._recipe)
        return [self._point("one shot", network, kept)]

    def not_retrained(self) -> list[Point]:
        each = [self.kept(sparsity) for sparsity in self._study.bare]
        return [self._point("not retrained", self._pruner.network(kept), kept) for kept in each]

    def kept(self, sparsity: float) -> Kept:
        """Kept counts of one ranking over all layers at which so many of all weights go."""
        limits = limits_at(self._graph, sparsity)
        return global_counts(limits, self._pruner.ranking, scaled=False)

    def _point(self, route: str, network: nn.Module, kept: Kept) -> Point:
        return Point(route, sparsity_of(self._graph, kept), accuracy(network, self._test))


Part = Callable[[Case], list[Point]]
"""A share of the measurements that no other share waits for."""


def parts(study: Study) -> list[Part]:
    """All measurements of one trained network."""
    shots: list[Part] = [partial(Case.one_shot, sparsity=part) for part in study.retrained]
    return [Case.dense, Case.iterative, Case.trained_on, *shots, Case.not_retrained]


def measure(study: Study, seed: int, network: nn.Module, part: Part) -> list[Point]:
    """One part of the measurements of one seed, on one thread."""
    torch.set_num_threads(1)
    return part(Case(study, seed, network))


def limits_at(graph: PruningGraph, sparsity: float) -> Limits:
    """The budget of parameters that leaves 1 - `sparsity` of the weights, and all biases."""
    weights = kept_weights(graph, graph.full).sum()
    full = COSTS["params"](graph)(graph.full)
    budget = Budget("params", (full - sparsity * weights) / full)
    rounding = graph.granularity.rounding(max_ratio=0.999)
    return Limits.of(graph, [budget], COSTS, rounding)


def sparsity_of(graph: PruningGraph, kept: Kept) -> float:
    """Fraction of all weights that are zero."""
    left = kept_weights(graph, kept).sum() / kept_weights(graph, graph.full).sum()
    return float(1 - left)
