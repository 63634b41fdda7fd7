"""The strategies by their short names, each imported when it is asked for.

Agents bring gymnasium and stable-baselines3 along, which nothing else here needs. One that is
written anywhere is named here; one of a user's own is given as an object.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Any

from amc.parsing import look_up
from amc.problem import Strategy

STRATEGIES: dict[str, str] = {
    "residual-gp": "amc.strategies:ResidualGP",
    "gp-rollout": "agents:GPRolloutSearch",
    "ddpg": "agents:DDPGSearch",
    "ddpg-paper": "agents:PaperDDPGSearch",
    "ddpg-imagined": "agents:ImaginedDDPGSearch",
    "td3": "agents:TD3Search",
    "sac": "agents:SACSearch",
    "netadapt": "netadapt:NetAdapt",
    "uniform": "amc.rules:Uniform",
    "shallow": "amc.rules:Shallow",
    "deep": "amc.rules:Deep",
    "manual": "amc.rules:Manual",
    "sensitivity": "amc.rules:Sensitivity",
    "global": "amc.rules:GlobalRanking",
    "random": "amc.strategies:RandomSearch",
    "tpe": "amc.strategies:TPE",
    "cma-es": "amc.strategies:CmaEs",
    "evolution": "amc.strategies:Evolution",
    "gp": "amc.strategies:GP",
    "knapsack": "amc.strategies:Knapsack",
    "front": "amc.strategies:Front",
}
"""Short names in Python and on the command line, and where the class is."""

DEFAULT = "residual-gp"
"""Finds as much at equal evaluations as any other (docs/ratio-rules.md, "The default")."""


def make_strategy(name: str, episodes: int | None = None, **settings: Any) -> Strategy:
    """The strategy of a short name.

    Args:
        name: A key of `STRATEGIES`.
        episodes: Candidates to evaluate, where the strategy lets one choose; None takes its own.
        settings: Of its class.

    Raises:
        LookupError: if there is no such name.
        ValueError: if a setting is out of its range, or one without a default is not given.
    """
    module, _, attribute = look_up(STRATEGIES, name, "strategy").partition(":")
    made = getattr(import_module(module), attribute)
    if episodes is not None and "episodes" in signature(made).parameters:
        settings["episodes"] = episodes
    asked = signature(made).parameters.values()
    missing = [one.name for one in asked if one.default is one.empty and one.name not in settings]
    if missing:
        raise ValueError(
            f"{name} needs {', '.join(missing)}, which a name alone does not give; "
            f"give a {module}.{attribute} instead of its name"
        )
    strategy: Strategy = made(**settings)
    return strategy
