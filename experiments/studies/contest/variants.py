"""The parts of `gp-rollout`, each switched off or changed in turn."""

from __future__ import annotations

from typing import Any

from experiments.studies.contest.study import Contender

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gp-rollout": ("`gp-rollout` as it is", {}),
    "no-choice": ("one proposed rollout, so no choice", {"proposals": 1}),
    "no-imitation": ("no imitation", {"imitation": 0}),
    "no-warmup": ("no warm-up", {"warmup": 0.0}),
    "start-anywhere": ("no start at the uniform policy", {"start_at_uniform": False}),
    "bootstrap": (
        "the published critic of single steps, no proposed rollouts",
        {"proposals": 0, "updates": 40, "returns": "bootstrap"},
    ),
}
"""What each lacks, and its options, by label; the first is what the others are compared with."""


def contenders() -> tuple[Contender, ...]:
    """All of them, ready to take part."""
    return tuple(
        Contender(label, "gp-rollout", options) for label, (_, options) in VARIANTS.items()
    )
