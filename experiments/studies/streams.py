"""What data that are streamed cost: `python -m experiments.studies.streams`.

Memory: a search and an epoch of fine-tuning on a `DataLoader` that makes its samples as they are
asked for, in a process of its own; its own peak, for so many samples and ten times as many. Time:
the same network scored on the same samples, from memory, from a list of batches and through a
`DataLoader`, in turns.
"""

from __future__ import annotations

import argparse
import copy
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

import amc
from amc.evaluation import make_ready, ready_score
from amc.tasks import Data
from experiments.disk import in_short, machine
from experiments.studies.markdown import markdown
from experiments.studies.pages import put
from experiments.zoo import build_model

SAMPLES = 1000
ROUNDS = 9
PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"

Sample = tuple[Tensor, int]


class Made(Dataset[Sample]):
    """Random images that are nowhere until they are asked for.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: int) -> Sample:
        generator = torch.Generator().manual_seed(at)
        return torch.randn(1, 28, 28, generator=generator), at % 10


def work(count: int) -> int:
    """Search and fine-tune on so many samples; the peak of this process's memory in kB."""
    torch.manual_seed(0)
    model = build_model("resnet20", 1, 10, 0.5).eval()
    held, train = DataLoader(Made(count), 100), DataLoader(Made(count), 100, shuffle=True)
    task = amc.Classification(train, held, held)
    example = torch.zeros(1, 1, 28, 28)
    found = amc.search(model, example, task, budget="macs=0.5", strategy="random", episodes=3)
    amc.fit(found.network, task, amc.Recipe(epochs=1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak(count: int) -> float:
    """That of a process of its own, in MB."""
    command = [sys.executable, "-m", "experiments.studies.streams", "--work", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1000


def times(name: str, width: float, count: int, rounds: int) -> dict[str, float]:
    """Time of a score as a part of that from memory, the median of so many rounds."""
    torch.manual_seed(0)
    model = build_model(name, 1, 10, width).eval()
    inputs, labels = torch.randn(count, 1, 28, 28), torch.randint(10, (count,))
    graph, ready = amc.trace(model, inputs[:1]), copy.deepcopy(model)
    make_ready(ready, graph)
    ways: dict[str, Data] = {
        "from memory": amc.Samples(inputs, labels),
        "list of batches of 200": list(
            zip(torch.split(inputs, 200), torch.split(labels, 200), strict=True)
        ),
        "`DataLoader`, batches of 200": DataLoader(TensorDataset(inputs, labels), 200),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, data in ways.items():
            start = time.perf_counter()
            ready_score(ready, graph, amc.Classification(None, data))
            taken[way].append(time.perf_counter() - start)
    return {way: median(own) / median(taken["from memory"]) for way, own in taken.items()}


def tables(samples: int, rounds: int) -> str:
    """What was found, as it stands in the documentation."""
    few, many = peak(samples), peak(10 * samples)
    memory = markdown(
        ("samples", "peak memory, MB", "part of the first"),
        [
            (f"{samples:,}", f"{few:.0f}", "1"),
            (f"{10 * samples:,}", f"{many:.0f}", f"{many / few:.2f}"),
        ],
    )
    networks = (("resnet20", 1.0), ("mobilenet-v1", 0.5))
    found = [times(name, width, samples, rounds) for name, width in networks]
    speed = markdown(
        ("time of a score", *(name for name, _ in networks)),
        [(way, *(f"{one[way]:.2f}" for one in found)) for way in found[0]],
    )
    return (
        f"Peak memory of a search and an epoch of fine-tuning, all data streamed:\n\n{memory}\n\n"
        f"Time of a score as a part of that from memory (median of {rounds}):\n\n{speed}\n\n"
        f"{in_short(machine())}."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--docs", action="store_true", help="write them into docs/tasks.md")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args(arguments)
    if told.work:
        print(work(told.work))
        return
    found = tables(told.samples, told.rounds)
    print(found)
    if told.docs:
        put(PAGE, "streams", found)


if __name__ == "__main__":
    main()
