"""A network of real shape, profiled and tested: `... latency.one_network NAME POLICIES SECONDS`.

Its last line is JSON. Each network has a process of its own, as in the table of architectures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

import amc
from amc.costs import Macs
from amc.costs.latency import Latency, in_blocks
from amc.granularity import CHANNELS, Rounding
from amc.graph import Kept, PruningGraph
from amc.modules import first_call, with_samples
from experiments.latency.profiling import (
    export_network,
    in_turns,
    judge,
    measure_here,
    plan_of_network,
    smaller_network,
    table,
)
from experiments.studies.architectures import plain
from experiments.studies.architectures.networks import Built, images
from experiments.studies.latency.policies import random_policies

RUNTIME, THREADS = "onnxruntime", 1
SEED = 1
AT_ONCE = 6
"""Networks that take turns with the unpruned one."""


@dataclass(frozen=True)
class Tested:
    """One network that was predicted and measured.

    Args:
        kept: Units that stay, per group.
        macs: What is left of them.
        predicted: Seconds by the table.
        measured: Seconds, the mean of two measurements.
        unpruned: Seconds of the unpruned network in the same turns.
        noise: How far the two measurements of one network went apart.
    """

    kept: Kept
    macs: float
    predicted: float
    measured: float
    unpruned: float
    noise: float


def _torchvision(name: str, size: int = 224) -> Built:
    return import_module("torchvision.models").get_model(name, weights=None), images(size)


def _timm(name: str) -> Built:
    return import_module("timm").create_model(name, pretrained=False), images(224)


def _unet() -> Built:
    make = import_module("segmentation_models_pytorch").Unet
    return make("resnet34", encoder_weights=None, classes=5), images(256)


def _distilbert() -> Built:
    transformers = import_module("transformers")
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig())
    ids = torch.randint(2, 30000, (1, 128), generator=torch.Generator().manual_seed(0))
    return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _yolo() -> Built:
    tasks = import_module("ultralytics.nn.tasks")
    return tasks.DetectionModel("yolov8n.yaml", verbose=False), images(320)


def _gru() -> Built:
    return plain.MODELS["gru"]()


NETWORKS: dict[str, tuple[str, Callable[[], Built]]] = {
    "resnet50": ("torchvision, 224x224", partial(_torchvision, "resnet50")),
    "mobilenet_v3_large": ("torchvision, 224x224", partial(_torchvision, "mobilenet_v3_large")),
    "convnext_tiny": ("torchvision, 224x224", partial(_torchvision, "convnext_tiny")),
    "deit_tiny": ("timm, 224x224", partial(_timm, "deit_tiny_patch16_224")),
    "unet": ("segmentation-models-pytorch, resnet34, 256x256", _unet),
    "distilbert": ("transformers, 6 layers of 768, 128 tokens", _distilbert),
    "yolov8n": ("ultralytics, 320x320", _yolo),
    "shufflenet_v2": ("torchvision, 224x224", partial(_torchvision, "shufflenet_v2_x1_0")),
    "gru": ("a tagger of words", _gru),
}
"""By name, with what they are."""


def tested(name: str, policies: int, seconds: float, say: Console) -> dict[str, Any]:
    """What becomes of one network.

    Args:
        name: Of the network.
        policies: That its table is held against.
        seconds: That its profile may take.
        say: Where progress is told.
    """
    torch.manual_seed(0)
    model, inputs = NETWORKS[name][1]()
    model.eval()
    one, start = with_samples(first_call(inputs), 1), time.perf_counter()
    graph = amc.trace(model, inputs)
    traced = time.perf_counter() - start
    rounding = in_blocks(graph, CHANNELS.rounding())
    plan = plan_of_network(model, graph, one, rounding, RUNTIME)
    planned = time.perf_counter() - start - traced
    answer = measure_here(plan, RUNTIME, THREADS, say, seconds)
    found = table(plan, answer, name)
    results = _held(model, graph, one, Latency(graph, found), rounding, policies)
    predicted, measured, noise = (
        np.array([getattr(item, what) for item in results])
        for what in ("predicted", "measured", "noise")
    )
    fit = judge(predicted, measured, float(np.median(noise)))
    return {
        "name": name,
        "traced": traced,
        "planned": planned,
        "took": answer.took,
        "programs": len(answer.timings),
        "unsteady": answer.unsteady,
        "device": asdict(answer.device),
        "fit": asdict(fit),
        "own_fit": asdict(found.fit),
        "correction": asdict(found.correction),
        "tested": [asdict(item) for item in results],
    }


def _held(
    model: nn.Module,
    graph: PruningGraph,
    inputs: Any,
    latency: Latency,
    rounding: Rounding,
    policies: int,
) -> list[Tested]:
    """Networks that are really cut, a few at a time, in turns with the unpruned one."""
    drawn, macs = random_policies(graph, rounding, policies, SEED), Macs(graph)
    found: list[Tested] = []
    for at in range(0, len(drawn), AT_ONCE):
        some = drawn[at : at + AT_ONCE]
        payloads = [
            export_network(smaller_network(model, graph, kept), inputs, RUNTIME)
            for kept in (graph.full, *some)
        ]
        (first, *times), noise = in_turns(payloads, RUNTIME, THREADS, asked="")
        found += [
            Tested(
                kept,
                macs(kept) / macs(graph.full),
                latency(kept),
                timing["seconds"],
                first["seconds"],
                noise,
            )
            for kept, timing in zip(some, times, strict=True)
        ]
    return found


def main(words: Sequence[str]) -> int:
    """Test the network that is named, by as many policies as follow, within so many seconds."""
    name, policies, seconds = words[0], int(words[1]), float(words[2])
    print(json.dumps(tested(name, policies, seconds, Console(stderr=True))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
