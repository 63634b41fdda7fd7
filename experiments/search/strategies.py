"""Strategies by their short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from agents import (
    ALGORITHMS,
    AgentSearch,
    AgentSettings,
    DDPGSearch,
    GPRolloutSearch,
    is_algorithm,
)
from amc.parsing import look_up
from amc.problem import Strategy
from amc.rules import DepthRamp, GlobalRanking, Manual, Sensitivity, Uniform
from amc.strategies import TPE, CmaEs, RandomSearch
from experiments.disk import read_yaml
from experiments.search.options import number, plain_fields, typed
from experiments.settings import import_named
from netadapt import NetAdapt

Options = Mapping[str, Any]
S = TypeVar("S", Uniform, Sensitivity, GlobalRanking, RandomSearch, TPE, CmaEs)


def make_strategy(name: str, episodes: int, options: Options) -> Strategy:
    """The strategy of a short name, or of package.module:Class.

    Args:
        name: As on the command line.
        episodes: Candidates to evaluate, where the strategy lets one choose.
        options: Further settings by name, with dashes or underscores.

    Raises:
        LookupError: for an unknown name or option.
        ValueError: for a value of another type or out of range.
    """
    given = {key.replace("-", "_"): value for key, value in options.items()}
    if ":" in name:
        return _imported(name, episodes, given)
    return look_up(STRATEGIES, name, "strategy")(episodes, given)


def with_scalars(strategy: Strategy, name: str, folder: str) -> Strategy:
    """The same agent, which writes scalars for TensorBoard into a folder.

    Raises:
        ImportError: if TensorBoard is not installed.
        ValueError: if the strategy is no agent.
    """
    if not is_agent(strategy):
        raise ValueError(
            f"--tensorboard: {name} is no agent of stable-baselines3, whose logger writes the "
            "scalars; leave the flag out, or search with gp-rollout or ddpg"
        )
    if find_spec("tensorboard") is None:
        raise ImportError(
            "--tensorboard needs tensorboard, which is not here; pip install tensorboard"
        )
    return replace(strategy, tensorboard=folder)


def is_agent(strategy: Strategy) -> TypeGuard[AgentSearch]:
    """Whether stable-baselines3 does the searching."""
    return isinstance(strategy, AgentSearch)


def _imported(name: str, episodes: int, options: Options) -> Strategy:
    """A class of one's own, called with the options, and with `episodes` if it takes them.

    One that is an off-policy algorithm of stable-baselines3's kind becomes an agent.
    """
    made = import_named(name, "strategy")
    if is_algorithm(made):
        return _agent(name, AgentSearch(episodes, algorithm=made), options)
    if not callable(made):
        raise ValueError(f"strategy {name!r} cannot be called; name a class with search()")
    free = {"episodes": episodes} if _takes_episodes(made) else {}
    try:
        strategy = made(**free | dict(options))
    except ValueError:
        raise  # its own refusal
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"strategy {name!r} cannot be made ({type(error).__name__}: {error}); give what it "
            "takes as --options.NAME"
        ) from error
    if not callable(getattr(strategy, "search", None)):
        raise ValueError(
            f"strategy {name!r} gave {type(strategy).__name__}; name a class with "
            "search(problem, seed)"
        )
    found: Strategy = strategy
    return found


def _takes_episodes(made: Callable[..., Any]) -> bool:
    try:
        return "episodes" in signature(made).parameters
    except ValueError:  # Some builtins do not tell.
        return False


def _gp_rollout(episodes: int, options: Options) -> Strategy:
    return _agent("gp-rollout", GPRolloutSearch(episodes), options)


def _ddpg(episodes: int, options: Options) -> Strategy:
    return _agent("ddpg", DDPGSearch(episodes), options)


def _ddpg_paper(episodes: int, options: Options) -> Strategy:
    published = DDPGSearch(episodes, settings=AgentSettings.published())
    return _agent("ddpg-paper", published, options)


def _algorithm(name: str, episodes: int, options: Options) -> Strategy:
    return _agent(name, AgentSearch(episodes, algorithm=ALGORITHMS[name]), options)


def _agent(name: str, agent: AgentSearch, options: Options) -> Strategy:
    """An agent with the fields of its settings, and its reward, as options."""
    chosen = typed({"reward": agent.reward, **plain_fields(agent.settings)}, options, name)
    reward = chosen.pop("reward", agent.reward)
    return replace(agent, reward=reward, settings=replace(agent.settings, **chosen))


def _netadapt(episodes: int, options: Options) -> Strategy:
    loop = NetAdapt()
    chosen = typed({**plain_fields(loop), "lr": loop.recipe.lr}, options, "netadapt")
    recipe = replace(loop.recipe, lr=chosen.pop("lr", loop.recipe.lr))
    return replace(loop, recipe=recipe, **chosen)


def _uniform(episodes: int, options: Options) -> Strategy:
    return _with_options("uniform", Uniform(), options)


def _shallow(episodes: int, options: Options) -> Strategy:
    typed({}, options, "shallow")
    return DepthRamp("shallow")


def _deep(episodes: int, options: Options) -> Strategy:
    typed({}, options, "deep")
    return DepthRamp("deep")


def _sensitivity(episodes: int, options: Options) -> Sensitivity:
    return _with_options("sensitivity", Sensitivity(), options)


def _global(episodes: int, options: Options) -> Strategy:
    return _with_options("global", GlobalRanking(), options)


def _random(episodes: int, options: Options) -> Strategy:
    return _with_options("random", RandomSearch(episodes), options)


def _tpe(episodes: int, options: Options) -> Strategy:
    return _with_options("tpe", TPE(episodes), options)


def _cma_es(episodes: int, options: Options) -> Strategy:
    return _with_options("cma-es", CmaEs(episodes), options)


def _with_options(name: str, strategy: S, options: Options) -> S:
    """A strategy with its plain fields as options, but for episodes, which have a flag."""
    known = {key: value for key, value in plain_fields(strategy).items() if key != "episodes"}
    return replace(strategy, **typed(known, options, name))


def _manual(episodes: int, options: Options) -> Strategy:
    chosen = typed({"file": "", "scale": True}, options, "manual")
    file = chosen.pop("file", "")
    if not file:
        raise ValueError(
            "manual needs a YAML file of layer patterns and ratios; give --options.file FILE to a "
            "search, --manual FILE to a benchmark"
        )
    return Manual(read_ratios(Path(file)), **chosen)


STRATEGIES: dict[str, Callable[[int, Options], Strategy]] = {
    "gp-rollout": _gp_rollout,
    "ddpg": _ddpg,
    "ddpg-paper": _ddpg_paper,
    "td3": partial(_algorithm, "td3"),
    "sac": partial(_algorithm, "sac"),
    "netadapt": _netadapt,
    "uniform": _uniform,
    "shallow": _shallow,
    "deep": _deep,
    "manual": _manual,
    "sensitivity": _sensitivity,
    "global": _global,
    "random": _random,
    "tpe": _tpe,
    "cma-es": _cma_es,
}
"""Short names on the command line."""

_ONE_EVALUATION = ("uniform", "shallow", "deep", "manual", "global")
_ONE_AN_EPISODE = ("gp-rollout", "ddpg", "ddpg-paper", "td3", "sac", "random", "tpe", "cma-es")


def expected_evaluations(
    name: str, episodes: int, groups: int | None = None, options: Options | None = None
) -> int | None:
    """How many evaluations a search makes at most; None where that is not known beforehand.

    Args:
        name: As on the command line.
        episodes: As given to `make_strategy`.
        groups: Of the network, where they are known.
        options: As given to `make_strategy`.
    """
    if name == "sensitivity" and groups is not None:
        # Each group at its smallest too, the unpruned network, and what comes out.
        return groups * (_sensitivity(episodes, options or {}).ratios + 1) + 2
    if name in _ONE_EVALUATION:
        return 1
    return episodes if name in _ONE_AN_EPISODE else None


def read_ratios(path: Path) -> dict[str, float]:
    """Layer patterns and pruning ratios from a YAML file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is not a mapping from patterns to numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file of manual ratios at {path}; write `pattern: ratio` lines")
    try:
        data = read_yaml(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; write `pattern: ratio` lines") from None
    try:
        ratios = {str(pattern): number(ratio) for pattern, ratio in data.items()}
    except (AttributeError, TypeError, ValueError):
        ratios = {}
    if not ratios:
        raise ValueError(f"{path}: must map layer patterns to ratios, as in `stages.2.*: 0.5`")
    return ratios
