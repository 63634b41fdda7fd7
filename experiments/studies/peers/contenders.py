"""Who competes: ours, torch-pruning, NVIDIA ModelOpt's FastNAS, and a network trained small."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

from amc.export import load_pruned
from amc.policy import Budget
from experiments.search import search
from experiments.settings import MeasureSettings, OutputSettings, ProblemSettings, SearchSettings
from experiments.studies.peers.case import NETWORKS, Case, case
from experiments.studies.peers.within import KEYS, Cut, within
from experiments.studies.rows import Rows
from experiments.zoo import build_model

Contender = Callable[[Case, float, int, Path], Cut]
"""Takes the case, the part of the time, the seed, and a folder of its own."""

BATCH, SAMPLES = 128, 2000
"""Training pictures that criteria and statistics are taken from, as many as ours takes; and the
held-out pictures that candidates are scored on."""

STATISTICS = 50 * BATCH
"""Training pictures that FastNAS recalibrates batch norms with, as many as it asks for."""

ROUND_TO = 8
"""Channels: multiples of this."""

WIDTHS = 16
"""Steps of the width of a network that is trained small."""


def ours(strategy: str, here: Case, target: float, seed: int, folder: Path) -> Cut:
    """`amc search --budget latency=...` with nothing else said."""
    out, start = folder / f"{target:.3f}-{seed}", time.perf_counter()
    search(
        SearchSettings(
            network=replace(NETWORKS[here.name], seed=seed),
            problem=ProblemSettings(budget=(Budget("latency", target),)),
            ending=MeasureSettings(no_measure=True),
            output=OutputSettings(str(out)),
            strategy=strategy,
        ),
        Console(markup=False, highlight=False),
    )
    network = load_pruned(here.model, here.example, out / "model.safetensors")
    return Cut(network, time.perf_counter() - start)


def torch_pruning(
    here: Case,
    target: float,
    seed: int,
    folder: Path,
    *,
    everywhere: bool,
    taylor: bool,
) -> Cut:
    """Torch-pruning 1.6.1: one ratio, ranked in each layer or over all, by L1 norms or Taylor."""
    made = partial(_torch_pruned, here, everywhere=everywhere, taylor=taylor)
    return within(made, here.left, target, _rows(folder))


def _torch_pruned(here: Case, ratio: float, *, everywhere: bool, taylor: bool) -> nn.Module:
    pruning, model = import_module("torch_pruning"), copy.deepcopy(here.model)
    if taylor:
        model = copy.deepcopy(_differentiated(here.name))
    kinds = pruning.importance
    pruner = pruning.pruner.BasePruner(
        model,
        here.example,
        importance=kinds.TaylorImportance() if taylor else kinds.MagnitudeImportance(p=1),
        global_pruning=everywhere,
        pruning_ratio=ratio,
        ignored_layers=[model.get_submodule("classifier")],
        round_to=ROUND_TO,
        num_heads={
            module.qkv: module.heads for module in model.modules() if hasattr(module, "qkv")
        },
        unwrapped_parameters={
            one: 1 for name, one in model.named_parameters() if name == "positions"
        },
    )
    pruner.step()
    model.zero_grad(set_to_none=True)
    return model.eval()


@cache
def _differentiated(name: str) -> nn.Module:
    """A network with the gradients of its loss, which the Taylor criterion reads."""
    here = case(name)
    model = copy.deepcopy(here.model)
    for images, labels in _batches(here, SAMPLES):
        functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    return model


def _batches(here: Case, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    train = here.workload.splits.train
    for at in range(0, samples, BATCH):
        yield train.batch(slice(at, min(at + BATCH, samples)), "cpu")


def fast_nas(here: Case, target: float, seed: int, folder: Path) -> Cut:
    """NVIDIA ModelOpt 0.47: each layer's sensitivity, and a threshold under a budget of FLOPs."""
    folder.mkdir(parents=True, exist_ok=True)
    made = partial(_fast_nas, here, folder / "sensitivities.pth")
    return within(made, here.left, target, _rows(folder))


def _fast_nas(here: Case, sensitivities: Path, gone: float) -> nn.Module:
    prune, model = import_module("modelopt.torch.prune"), copy.deepcopy(here.model)
    holdout = here.workload.splits.holdout
    images, labels = holdout.batch(slice(0, SAMPLES), "cpu")

    def score(network: nn.Module) -> float:
        with torch.inference_mode():
            answers = [network.eval()(part) for part in images.split(BATCH)]
        return float((torch.cat(answers).argmax(1) == labels).double().mean())

    rules: Mapping[str, Any] = {
        "nn.Conv2d": {"*": _divided("channel")},
        "nn.Linear": {"*": _divided("feature")},
        "nn.BatchNorm2d": {"*": _divided("feature")},
        "nn.LayerNorm": {"*": _divided("feature")},
    }
    pruned, _ = prune.prune(
        model,
        mode=[("fastnas", rules)],
        constraints={"flops": f"{100 * (1 - gone):.3f}%"},
        dummy_input=here.example,
        config={
            "data_loader": list(_batches(here, STATISTICS)),
            "collect_func": lambda batch: batch[0],
            "score_func": score,
            "checkpoint": str(sensitivities),
            "verbose": False,
        },
    )
    found: nn.Module = pruned.eval()
    return found


def _divided(what: str) -> dict[str, Any]:
    """ModelOpt's own rule, but for its divisor of 32, which leaves small networks whole."""
    kernels = {"kernel_size": ()} if what == "channel" else {}
    ratios = tuple(0.05 * step for step in range(1, 21))
    return {f"{what}s_ratio": ratios, f"{what}_divisor": ROUND_TO, **kernels}


def scratch(here: Case, target: float, seed: int, folder: Path) -> Cut:
    """A network of the same kind whose layers are all narrower, trained from random weights."""
    settings = NETWORKS[here.name]
    channels, classes = here.example.shape[1], len(here.workload.dataset.classes)  # type: ignore[union-attr]

    def built(gone: float) -> nn.Module:
        torch.manual_seed(seed)
        steps = max(1, round((1 - gone) * WIDTHS))
        return build_model(
            settings.model, channels, classes, settings.width * steps / WIDTHS
        ).eval()

    found = within(built, here.left, target, _rows(folder))
    start = time.perf_counter()
    network = here.trained(found.network, seed)
    return Cut(network, found.seconds + time.perf_counter() - start, found.knob)


def _rows(folder: Path) -> Rows:
    return Rows(folder / "clocked.jsonl", KEYS)


CONTENDERS: dict[str, tuple[str, Contender]] = {
    "gp-rollout": ("ours", partial(ours, "gp-rollout")),
    "uniform": ("ours", partial(ours, "uniform")),
    "tp-local-l1": (
        "torch-pruning, L1 in each layer",
        partial(torch_pruning, everywhere=False, taylor=False),
    ),
    "tp-global-l1": (
        "torch-pruning, L1 over all layers",
        partial(torch_pruning, everywhere=True, taylor=False),
    ),
    "tp-local-taylor": (
        "torch-pruning, Taylor in each layer",
        partial(torch_pruning, everywhere=False, taylor=True),
    ),
    "tp-global-taylor": (
        "torch-pruning, Taylor over all",
        partial(torch_pruning, everywhere=True, taylor=True),
    ),
    "fastnas": ("NVIDIA ModelOpt, FastNAS", fast_nas),
    "scratch": ("uniform width, trained from scratch", scratch),
}
"""By name, with what they are; the last takes longest and comes last."""
