"""Who takes part: every strategy, rules, a person's ratios, and networks that are trained small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.settings import ChoiceSettings

CONFIGS = Path("experiments/configs")

OURS, EVEN, LONGER, SCRATCH, HAND = "tuned", "uniform", "uniform-longer", "scratch", "by-hand"


@dataclass(frozen=True)
class Contender:
    """A way to the smaller network.

    Args:
        about: What it is.
        strategy: Of the search; none is run of `SCRATCH`.
        options: Of the strategy.
        choice: By what a candidate is taken.
    """

    about: str
    strategy: str
    options: Mapping[str, Any] = field(default_factory=dict)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)

    def options_for(self, network: str) -> dict[str, Any]:
        """For a network, of which a person's ratios have a file each."""
        file = {"file": str(CONFIGS / f"{network}-manual.yaml")}
        return {**self.options, **(file if self.strategy == "manual" else {})}


SEARCHES = ("evolution", "gp", "knapsack", "tpe", "cma-es", "random")
AGENTS = ("gp-rollout", "ddpg", "ddpg-paper", "td3", "sac")

CONTENDERS: Mapping[str, Contender] = {
    "residual-gp": Contender("the default search", "residual-gp"),
    OURS: Contender("the same, `--objective tuned`", "residual-gp", choice=ChoiceSettings("tuned")),
    EVEN: Contender("one ratio for all layers", "uniform"),
    LONGER: Contender(f"the same, tuned until it took as long as `{OURS}` in all", "uniform"),
    HAND: Contender("ratios that a person set, scaled to the budget", "manual"),
    "shallow": Contender("AMC's rule that prunes early layers most", "shallow"),
    "deep": Contender("AMC's rule that prunes late layers most", "deep"),
    "sensitivity": Contender("a scan of every layer, one threshold", "sensitivity"),
    "global": Contender("the least important units of all layers", "global"),
    **{name: Contender("another search", name) for name in SEARCHES},
    **{name: Contender("an agent", name) for name in AGENTS},
    "netadapt": Contender("prunes and tunes layer by layer", "netadapt"),
    SCRATCH: Contender("uniform width, trained from random weights for all these steps", "uniform"),
}
"""By name; what is needed for a verdict comes first, and what takes longest last."""
