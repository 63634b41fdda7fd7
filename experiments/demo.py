"""The demonstration: a network for photographs of clothes in less than half of its time.

The pictures are Fashion-MNIST, 30 MB that are fetched once; where they cannot be, handwritten
digits that come with scikit-learn, and a network that is trained on them first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments.cli import main
from experiments.terminal import leave
from experiments.zoo import load_dataset

OUT = Path("runs/demo")
STRATEGIES = ("residual-gp", "uniform", "manual")
COMPARED = OUT / "benchmark"
CONFIGS = Path("experiments/configs")

Words = tuple[str, ...]


def on_photographs() -> Iterator[Words]:
    """A search against uniform ratios and a person's, within a part of the time, three times."""
    yield (
        *("benchmark", "--model", "resnet20", "--dataset", "fashion-mnist"),
        *("--strategies", ",".join(STRATEGIES)),
        *("--manual", str(CONFIGS / "resnet20-manual.yaml"), "--budget", "latency=0.33"),
        *("--episodes", "60", "--racing", "0.01", "--calibration-images", "2000"),
        *("--finetune-epochs", "0.2", "--seeds", "3"),
        *("--overwrite", "--out", str(COMPARED)),
    )


def on_digits() -> Iterator[Words]:
    """The same on pictures of 8 x 8, whose networks are too small for time to be a budget."""
    weights = OUT / "trained" / "model.safetensors"
    network = ("--model", "resnet8", "--dataset", "digits")
    yield ("train", *network, "--epochs", "40", "--overwrite", "--out", str(weights.parent))
    yield (
        *("benchmark", *network, "--weights", str(weights)),
        *("--strategies", ",".join(STRATEGIES)),
        *("--manual", str(CONFIGS / "digits-manual.yaml"), "--budget", "macs=0.3"),
        *("--episodes", "100", "--search-images", "0", "--finetune-epochs", "1", "--seeds", "3"),
        *("--overwrite", "--out", str(COMPARED)),
    )


def demo() -> int:
    """Run the commands that a user would type; 0 when all did."""
    commands = on_photographs()
    try:
        load_dataset("fashion-mnist")
    except (OSError, ValueError) as error:
        print(f"{error}; digits are taken in their place", flush=True)
        commands = on_digits()
    for words in commands:
        print("$ amc " + " ".join(words), flush=True)
        status = main(words)
        if status:
            return status
    print(
        f"to take a network away: amc export {COMPARED / STRATEGIES[0]} --format onnx", flush=True
    )
    return 0


if __name__ == "__main__":
    leave(demo())
