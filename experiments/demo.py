"""The demonstration: train a small network on handwritten digits, and prune it in four ways."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.cli import main

OUT = Path("runs/demo")
MANUAL = Path("experiments/configs/digits-manual.yaml")
NETWORK = ("--model", "resnet8", "--dataset", "digits")


def demo() -> int:
    """Run the two commands that a user would type; 0 when both did."""
    weights = OUT / "trained" / "model.safetensors"
    train = ("train", *NETWORK, "--epochs", "40", "--out", str(weights.parent))
    compare = (
        "benchmark",
        *NETWORK,
        *("--weights", str(weights)),
        *("--strategies", "ddpg,netadapt,uniform,manual"),
        *("--manual", str(MANUAL)),
        *("--budget", "macs=0.3"),
        *("--episodes", "100"),
        *("--finetune-epochs", "5"),
        *("--search-images", "0"),
        *("--out", str(OUT / "benchmark")),
    )
    for words in (train, compare):
        print("$ amc " + " ".join(words), flush=True)
        status = main(words)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(demo())
