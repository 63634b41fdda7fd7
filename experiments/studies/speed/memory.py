"""What a search takes of memory, against what it cannot do without."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from amc.devices import fast_type, give_back_memory
from amc.evaluation import batch_for
from amc.problem import Problem
from experiments.studies.markdown import markdown
from experiments.studies.speed.cases import Case, Sizes
from experiments.studies.speed.episodes import ours

EPISODES = 6
MIB = 2**20


def memory(case: Case) -> dict[str, Any]:
    """Measure it in a process of its own, and return it.

    Args:
        case: The network.
    """
    told = json.dumps({"name": case.name, "sizes": asdict(case.sizes)})
    code = f"from experiments.studies.speed.memory import child; child({told!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["needed"] = found["activations"] + found["weights"] + found["moments"]
    found["share"] = found["peak"] / found["needed"]
    return {"memory": found}


def table(found: Mapping[str, Any]) -> str:
    """What `memory` found, in Markdown."""
    own = found["memory"]
    heads = ["activations", "weights", "moments", "sum", "search, at its peak", "of the sum"]
    keys = ("activations", "weights", "moments", "needed", "peak")
    cells = [f"{own[key] / MIB:.0f} MiB" for key in keys]
    return markdown(heads, [[*cells, f"{own['share']:.2f}"]])


def child(told: str) -> None:
    """Run a search and print, as JSON, the bytes that it took beyond what was there before."""
    asked = json.loads(told)
    case = Case.of(asked["name"], Sizes(**asked["sizes"]))
    _load_late()
    give_back_memory()  # of a quick training, which the search would fill unseen
    before = _resident("VmRSS")
    _forget_peak()
    problem = case.problem()
    ours(problem, EPISODES)
    print(json.dumps({"peak": _resident("VmHWM") - before, **bytes_needed(problem)}))


def _load_late() -> None:
    """Have PyTorch load what it loads at the first forward pass, gradient and optimizer."""
    layer = torch.nn.Linear(1, 1)
    layer(torch.zeros(1, 1)).sum().backward()
    torch.optim.Adam(layer.parameters()).step()


def bytes_needed(problem: Problem) -> dict[str, int]:
    """Bytes of the unpruned network's activations, its weights, and the moments of its inputs.

    Activations are the outputs of convolutions and linear layers for the batches in flight, one for
    each thread.
    """
    graph, moments = problem.graph, problem.moments
    batches = batch_for(graph, torch.device("cpu")) * torch.get_num_threads()
    maps = sum(layer.outputs * layer.positions for layer in graph.layers if layer.kind != "norm")
    weights = sum(tensor.numel() for tensor in problem.model.parameters())
    sides = [] if moments is None else [len(one.mean) for one in moments.by_layer.values()]
    return {
        "activations": int(fast_type().itemsize * maps * batches),
        "weights": 4 * weights,
        "moments": sum(4 * side * (side + 1) for side in sides),
    }


def _resident(key: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at most (VmHWM); Linux tells."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(key))
    return int(value) * 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
