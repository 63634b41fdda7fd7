"""The demonstration: a small network for handwritten digits, pruned in four ways and timed."""

from __future__ import annotations

from pathlib import Path

from experiments.cli import main
from experiments.terminal import leave

OUT = Path("runs/demo")
MANUAL = Path("experiments/configs/digits-manual.yaml")
NETWORK = ("--model", "resnet8", "--dataset", "digits")


STRATEGIES = ("gp-rollout", "netadapt", "uniform", "manual")


def demo() -> int:
    """Run the commands that a user would type; 0 when all did."""
    weights = OUT / "trained" / "model.safetensors"
    train = (
        "train",
        *NETWORK,
        *("--epochs", "40"),
        "--overwrite",
        *("--out", str(weights.parent)),
    )
    compare = (
        "benchmark",
        *NETWORK,
        *("--weights", str(weights)),
        *("--strategies", ",".join(STRATEGIES)),
        *("--manual", str(MANUAL)),
        *("--budget", "macs=0.3"),
        *("--episodes", "100"),
        *("--finetune-epochs", "5"),
        *("--search-images", "0"),
        "--overwrite",
        *("--out", str(OUT / "benchmark")),
    )
    runs = OUT / "benchmark"
    exports = [("export", str(runs / name), "--measure", "3") for name in STRATEGIES]
    for words in (train, compare, *exports, ("report", str(runs))):
        print("$ amc " + " ".join(words), flush=True)
        status = main(words)
        if status:
            return status
    return 0


if __name__ == "__main__":
    leave(demo())
