"""The routes of the study of accuracy against sparsity; see `experiments.bench_sparsity`."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from amc.costs import COSTS, Limits
from amc.costs.connections import kept_weights
from amc.evaluation import accuracy
from amc.finetuning import Recipe, fit
from amc.finetuning.iterative import Plan, prune_iteratively
from amc.finetuning.schedule import Schedule
from amc.granularity import Granularity
from amc.narrowing import Narrowed, narrow
from amc.policy import Budget
from amc.pruning import Pruner, decisions
from amc.rules.ranked import global_counts
from amc.samples import Samples
from amc.structure import Kept, PruningGraph
from experiments.networks import augmentation
from experiments.zoo.datasets import load_dataset
from experiments.zoo.models import build_model

GOAL = 0.9
ROUTES = ("iterative", "one shot", "not retrained")


@dataclass(frozen=True)
class Study:
    """What is trained and pruned.

    Args:
        model: Short name of the network.
        dataset: Short name of the data set.
        width: Factor on its channels.
        dense_epochs: Of training from scratch.
        lr: Peak rate of training; fine-tuning takes a tenth.
        stages: Of the iterative schedule up to 90%.
        stage_epochs: Of fine-tuning after each stage; the last has three times as many.
        beyond: Sparsities that the iterative route goes on to, each fine-tuned like the last stage.
        retrained: Sparsities of the one-shot route.
        bare: Sparsities measured without retraining.
        images: Training images at most; 0 takes all.
    """

    model: str = "alexnet-small"
    dataset: str = "fashion-mnist"
    width: float = 1.0
    dense_epochs: float = 12
    lr: float = 0.05
    stages: int = 7
    stage_epochs: float = 1
    beyond: tuple[float, ...] = (0.95,)
    retrained: tuple[float, ...] = (0.9, 0.95)
    bare: tuple[float, ...] = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    images: int = 0

    @property
    def epochs(self) -> float:
        """Of the iterative route up to 90%."""
        return self.stage_epochs * (self.stages + 2)


@dataclass(frozen=True)
class Point:
    """One pruned network.

    Args:
        route: One of `ROUTES`.
        sparsity: Fraction of all weights that are zero, in [0, 1].
        accuracy: On the test images, in [0, 1].
    """

    route: str
    sparsity: float
    accuracy: float


@dataclass(frozen=True)
class SeedResult:
    """All measurements of one seed."""

    seed: int
    dense: float
    dense_trained_on: float
    points: tuple[Point, ...]


def run_seed(study: Study, seed: int) -> SeedResult:
    """Train one network and prune it along every route."""
    torch.set_num_threads(1)
    dataset = load_dataset(study.dataset)
    splits = dataset.splits()
    train = splits.train.take(slice(0, study.images or len(splits.train)))
    torch.manual_seed(seed)
    model = build_model(study.model, dataset.channels, len(dataset.classes), study.width)
    recipe = Recipe(
        epochs=study.dense_epochs,
        lr=study.lr,
        warmup=0.1,
        seed=seed,
        **augmentation(study.dataset),
    )
    fit(model, train, recipe)
    tuning = replace(recipe, lr=study.lr / 10, warmup=0.0, epochs=study.epochs)
    routes = _Routes(study, model, train, splits.test, tuning)
    trained_on = fit(copy.deepcopy(model), train, tuning)
    return SeedResult(
        seed,
        accuracy(model, splits.test),
        accuracy(trained_on, splits.test),
        (*routes.iterative(), *routes.one_shot(), *routes.bare()),
    )


class _Routes:
    """The routes of one trained network."""

    def __init__(
        self, study: Study, model: nn.Module, train: Samples, test: Samples, tuning: Recipe
    ) -> None:
        self._study, self._train, self._test, self._tuning = study, train, test, tuning
        self._graph = decisions(model, train.floats(slice(0, 1)), "element")
        self._pruner = Pruner.of(model, self._graph, "l1")
        self._start = Narrowed.start(model, self._graph)

    def iterative(self) -> list[Point]:
        points: list[Point] = []
        share = 3 / (self._study.stages + 2)
        plan = Plan(Schedule("cubic", self._study.stages, share), self._tuning)
        state = self._pruned(self._start, GOAL, plan, points)
        further = replace(self._tuning, epochs=3 * self._study.stage_epochs)
        for sparsity in self._study.beyond:
            state = self._pruned(state, sparsity, Plan(Schedule("one-shot"), further), points)
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

    def one_shot(self) -> list[Point]:
        points = []
        for sparsity in self._study.retrained:
            kept = self.kept(sparsity)
            network = fit(self._pruner.held(kept), self._train, self._tuning)
            points.append(self._point("one shot", network, kept))
        return points

    def bare(self) -> list[Point]:
        each = [self.kept(sparsity) for sparsity in self._study.bare]
        return [self._point("not retrained", self._pruner.network(kept), kept) for kept in each]

    def kept(self, sparsity: float) -> Kept:
        """Kept counts of one ranking over all layers at which so many of all weights go."""
        return global_counts(limits_at(self._graph, sparsity), self._pruner.ranking)

    def _point(self, route: str, network: nn.Module, kept: Kept) -> Point:
        return Point(route, sparsity_of(self._graph, kept), accuracy(network, self._test))


def limits_at(graph: PruningGraph, sparsity: float) -> Limits:
    """The budget of parameters that leaves 1 - `sparsity` of the weights, and all biases."""
    weights = kept_weights(graph, graph.full).sum()
    full = COSTS["params"](graph)(graph.full)
    budget = Budget("params", (full - sparsity * weights) / full)
    rounding = Granularity.parse(graph.granularity).rounding(max_ratio=0.999)
    return Limits.of(graph, [budget], COSTS, rounding)


def sparsity_of(graph: PruningGraph, kept: Kept) -> float:
    """Fraction of all weights that are zero."""
    left = kept_weights(graph, kept).sum() / kept_weights(graph, graph.full).sum()
    return float(1 - left)
