"""Who competes: ours, torch-pruning, NVIDIA ModelOpt's FastNAS, and a network trained small."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from rich.console import Console
from torch import nn

from amc.export import load_pruned
from amc.policy import Budget
from experiments.disk import Rows
from experiments.search import search
from experiments.settings import MeasureSettings, OutputSettings, ProblemSettings, SearchSettings
from experiments.studies.peers.case import BATCH, NETWORKS, SAMPLES, Case
from experiments.studies.peers.within import KEYS, Cut, TooSlowError, within
from experiments.zoo import build_model

Known = Mapping[str, Any]
"""The row of the first seed; empty for that one."""

Contender = Callable[[Case, float, int, Path, Known], Cut]
"""Takes the case, the part of the time, the seed, a folder of its own, and what is known.

Where nothing but the fine-tuning hangs on the seed, the knob of the first seed is taken again: the
clock, which would choose another on another day, is asked once.
"""

STATISTICS = 50 * BATCH
"""Training pictures that FastNAS recalibrates batch norms with, as many as it asks for."""

ROUND_TO = 8
"""Channels: multiples of this."""

WIDTHS = 16
"""Steps of the width of a network that is trained small."""


def ours(strategy: str, here: Case, target: float, seed: int, folder: Path, known: Known) -> Cut:
    """`amc search --budget latency=...` with nothing else said."""
    out, start = folder / f"{target:.3f}-{seed}", time.perf_counter()
    search(
        SearchSettings(
            network=replace(NETWORKS[here.name], seed=seed),
            problem=ProblemSettings(budget=(Budget("latency", target),)),
            ending=MeasureSettings(no_measure=True),
            output=OutputSettings(str(out), overwrite=True),
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
    known: Known,
    *,
    everywhere: bool,
    taylor: bool,
) -> Cut:
    """Torch-pruning 1.6.1: one ratio, ranked in each layer or over all, by L1 norms or Taylor.

    Where a group would fall below its `round_to` channels it is left whole, so that with 8 narrow
    networks are nowhere fast; 4 is tried then.
    """

    def made(round_to: int) -> Cut:
        cut = partial(_torch_pruned, here, everywhere=everywhere, taylor=taylor, round_to=round_to)
        if known:
            return _again(cut, known)
        found = within(cut, here.left, target, _rows(folder / f"round-to-{round_to}"))
        return replace(found, note=f"round_to {round_to}")

    return _widest_fast(made, known)


def _torch_pruned(
    here: Case, ratio: float, *, everywhere: bool, taylor: bool, round_to: int = ROUND_TO
) -> nn.Module:
    pruning = import_module("torch_pruning")
    model = copy.deepcopy(here.model)
    if taylor:
        # Copies of parameters come without gradients.
        for one, known in zip(model.parameters(), here.gradients, strict=True):
            one.grad = known.clone()
    kinds = pruning.importance
    pruner = pruning.pruner.BasePruner(
        model,
        here.example,
        importance=kinds.TaylorImportance() if taylor else kinds.MagnitudeImportance(p=1),
        global_pruning=everywhere,
        pruning_ratio=ratio,
        ignored_layers=[model.get_submodule("classifier")],
        round_to=round_to,
        num_heads={
            module.qkv: module.heads for module in model.modules() if hasattr(module, "qkv")
        },
        unwrapped_parameters=[
            (one, 1) for name, one in model.named_parameters() if name == "positions"
        ],
    )
    pruner.step()
    model.zero_grad(set_to_none=True)
    return model.eval()


def fast_nas(here: Case, target: float, seed: int, folder: Path, known: Known) -> Cut:
    """NVIDIA ModelOpt 0.47: each layer's sensitivity, and a threshold under a budget of FLOPs."""

    def made(divisor: int) -> Cut:
        own = folder / f"divisor-{divisor}"
        own.mkdir(parents=True, exist_ok=True)
        cut = partial(_fast_nas, here, own / "sensitivities.pth", divisor)
        if known:
            return _again(cut, known)
        return replace(within(cut, here.left, target, _rows(own)), note=f"divisor {divisor}")

    return _widest_fast(made, known)


def _again(cut: Callable[[float], nn.Module], known: Known) -> Cut:
    """By the knob that is known."""
    return Cut(cut(known["knob"]), known["seconds"], known["knob"], known["note"])


def _widest_fast(made: Callable[[int], Cut], known: Known) -> Cut:
    """By multiples of `ROUND_TO` channels or, where that is nowhere fast enough, half of it.

    Args:
        made: By such multiples.
        known: Whose note ends with them, where they are known.
    """
    if known:
        return made(int(known["note"].split()[-1]))
    try:
        return made(ROUND_TO)
    except TooSlowError:
        return made(ROUND_TO // 2)


def _fast_nas(here: Case, sensitivities: Path, divisor: int, gone: float) -> nn.Module:
    prune, model = import_module("modelopt.torch.prune"), copy.deepcopy(here.model)
    holdout = here.workload.splits.holdout
    images, labels = holdout.batch(slice(0, SAMPLES), "cpu")

    def score(network: nn.Module) -> float:
        with torch.inference_mode():
            answers = [network.eval()(part) for part in images.split(BATCH)]
        return float((torch.cat(answers).argmax(1) == labels).double().mean())

    rules: Mapping[str, Any] = {
        "nn.Conv2d": {"*": _divided("channel", divisor)},
        "nn.Linear": {"*": _divided("feature", divisor)},
        "nn.BatchNorm2d": {"*": _divided("feature", divisor)},
        "nn.LayerNorm": {"*": _divided("feature", divisor)},
    }
    pruned, _ = prune.prune(
        model,
        mode=[("fastnas", rules)],
        constraints={"flops": f"{100 * (1 - gone):.3f}%"},
        dummy_input=here.example,
        config={
            "data_loader": list(here.batches(STATISTICS)),
            "collect_func": lambda batch: batch[0],
            "score_func": score,
            "checkpoint": str(sensitivities),
            "verbose": False,
        },
    )
    found: nn.Module = pruned.eval()
    return found


def _divided(what: str, divisor: int) -> dict[str, Any]:
    """ModelOpt's own rule, but for its divisor of 32, which leaves small networks whole."""
    kernels = {"kernel_size": ()} if what == "channel" else {}
    ratios = tuple(0.05 * step for step in range(1, 21))
    return {f"{what}s_ratio": ratios, f"{what}_divisor": divisor, **kernels}


def scratch(here: Case, target: float, seed: int, folder: Path, known: Known) -> Cut:
    """A network of the same kind whose layers are all narrower, trained from random weights."""
    found = narrower(here, here.left, target, seed, _rows(folder), known)
    start = time.perf_counter()
    network = here.trained(found.network, seed)
    # The first seed's seconds have its training in them.
    seconds = found.seconds if known else found.seconds + time.perf_counter() - start
    return Cut(network, seconds, found.knob)


def narrower(
    here: Case,
    left: Callable[[nn.Module], float],
    target: float,
    seed: int,
    rows: Rows,
    known: Known = MappingProxyType({}),
) -> Cut:
    """A network of the same kind whose layers are all narrower, with random weights.

    Args:
        here: The case.
        left: How much of the unpruned network's cost one has.
        target: That it may have at most.
        seed: Of the weights.
        rows: Where costs are kept.
        known: See `Contender`.
    """
    settings = NETWORKS[here.name]
    channels, classes = here.example.shape[1], len(here.workload.dataset.classes)  # type: ignore[union-attr]

    def built(gone: float) -> nn.Module:
        torch.manual_seed(seed)
        steps = max(1, round((1 - gone) * WIDTHS))
        return build_model(
            settings.model, channels, classes, settings.width * steps / WIDTHS
        ).eval()

    return _again(built, known) if known else within(built, left, target, rows)


def _rows(folder: Path) -> Rows:
    return Rows(folder / "clocked.jsonl", KEYS)


RANKED = (
    ("local", "l1", "L1 in each layer"),
    ("global", "l1", "L1 over all layers"),
    ("local", "taylor", "Taylor in each layer"),
    ("global", "taylor", "Taylor over all"),
)
"""How torch-pruning may rank units."""

CONTENDERS: dict[str, tuple[str, Contender]] = {
    "residual-gp": ("ours", partial(ours, "residual-gp")),
    "uniform": ("ours", partial(ours, "uniform")),
    **{
        f"tp-{where}-{what}": (
            f"torch-pruning, {ranked}",
            partial(torch_pruning, everywhere=where == "global", taylor=what == "taylor"),
        )
        for where, what, ranked in RANKED
    },
    "fastnas": ("NVIDIA ModelOpt, FastNAS", fast_nas),
    "scratch": ("uniform width, trained from scratch", scratch),
}
"""By name, with what they are; the last takes longest and comes last."""
