"""Strategies by their short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any, TypeGuard

from agents import AgentSearch, is_algorithm
from amc import strategies
from amc.problem import Strategy
from amc.rules import Manual, Sensitivity
from experiments.disk import read_yaml
from experiments.search.options import convert, number, plain_fields
from experiments.settings import SearchSettings, import_named
from netadapt import NetAdapt

Options = Mapping[str, Any]


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
        return _import(name, episodes, given)
    if name == "manual":
        return _manual(given)
    return _with_options(name, strategies.make_strategy(name, episodes), given)


def with_scalars(strategy: Strategy, name: str, folder: str) -> Strategy:
    """The same agent, which writes scalars for TensorBoard into a folder.

    Raises:
        ImportError: if TensorBoard is not installed.
        ValueError: if the strategy is no agent.
    """
    if not is_agent(strategy):
        raise ValueError(
            f"--tensorboard: {name} is no agent of stable-baselines3, whose logger writes the "
            "scalars; leave the flag out, or search with ddpg or gp-rollout"
        )
    if find_spec("tensorboard") is None:
        raise ImportError(
            "--tensorboard needs tensorboard, which is not here; pip install tensorboard"
        )
    return replace(strategy, tensorboard=folder)


def is_agent(strategy: Strategy) -> TypeGuard[AgentSearch]:
    """Whether stable-baselines3 does the searching."""
    return isinstance(strategy, AgentSearch)


def tunes_weights(strategy: Strategy) -> bool:
    """Whether the strategy fine-tunes as it prunes, so that its result has weights of its own."""
    return bool(getattr(strategy, "tunes_weights", False))


def is_batched(strategy: Strategy) -> bool:
    """Whether the strategy can choose several candidates, or try several things, at once."""
    known = type(strategy).__module__.partition(".")[0] == "amc" and hasattr(strategy, "batch")
    return known or isinstance(strategy, NetAdapt | Sensitivity)


def in_batches(strategy: Strategy, config: SearchSettings) -> Strategy:
    """The strategy with as many candidates at once as the settings say.

    Raises:
        ValueError: if it takes one after the other.
    """
    work = config.work
    if work.together == 1 or not is_batched(strategy):
        if work.together > 1 and expected_evaluations(config.strategy, 2) != 1:
            raise ValueError(
                f"{work.flag}: {config.strategy} chooses one candidate after the other; leave the "
                "flag out, or take a search that chooses several at once, such as residual-gp"
            )
        return strategy
    if isinstance(strategy, NetAdapt):
        if work.ray or work.workers == 1:
            raise ValueError(
                f"{work.flag}: netadapt tries the proposals of an iteration in processes of this "
                "machine, and chooses no batches; give --workers alone"
            )
        return replace(strategy, jobs=max(strategy.jobs, work.workers))
    if isinstance(strategy, Sensitivity):
        return strategy
    found: Strategy = replace(strategy, batch=work.together)  # type: ignore[type-var]
    return found


def begins_somewhere(strategy: Strategy, name: str) -> bool:
    """Whether earlier runs can be of use; of a user's own strategy nobody knows, so it may be.

    Args:
        strategy: It.
        name: As on the command line.
    """
    if is_agent(strategy):
        return strategy.settings.start_at_uniform
    return ":" in name or name in _BEGINNING


def check_begins(strategy: Strategy, config: SearchSettings) -> None:
    """Refuse to begin with earlier runs what begins nowhere.

    Raises:
        ValueError: if it is asked for.
    """
    if config.earlier.from_ and not begins_somewhere(strategy, config.strategy):
        raise ValueError(
            f"--from {','.join(config.earlier.from_)}: {config.strategy} does not begin with a "
            "policy and learns of none; leave the flag out, or take a search such as residual-gp"
        )


def _import(name: str, episodes: int, options: Options) -> Strategy:
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


def _agent(name: str, agent: AgentSearch, options: Options) -> Strategy:
    """An agent with the fields of its settings, and its reward, as options."""
    chosen = convert({"reward": agent.reward, **plain_fields(agent.settings)}, options, name)
    reward = chosen.pop("reward", agent.reward)
    return replace(agent, reward=reward, settings=replace(agent.settings, **chosen))


def _with_options(name: str, strategy: Strategy, options: Options) -> Strategy:
    """A strategy with its plain fields as options, but for those that have flags."""
    if is_agent(strategy):
        return _agent(name, strategy, options)
    if isinstance(strategy, NetAdapt):
        return _netadapt(name, strategy, options)
    flags = ("episodes", "batch")
    known = {key: value for key, value in plain_fields(strategy).items() if key not in flags}
    changed: Strategy = replace(strategy, **convert(known, options, name))  # type: ignore[type-var]
    return changed


def _netadapt(name: str, loop: NetAdapt, options: Options) -> Strategy:
    """The loop with its fields, and the rate of its fine-tuning, as options."""
    chosen = convert({**plain_fields(loop), "lr": loop.recipe.lr or 0.0}, options, name)
    recipe = replace(loop.recipe, lr=chosen.pop("lr", 0.0) or loop.recipe.lr)
    return replace(loop, recipe=recipe, **chosen)


def _manual(options: Options) -> Strategy:
    chosen = convert({"file": "", "scale": True}, options, "manual")
    file = chosen.pop("file", "")
    if not file:
        raise ValueError(
            "manual needs a YAML file of layer patterns and ratios; give --options.file FILE to a "
            "search, --manual FILE to a benchmark"
        )
    return Manual(read_ratios(Path(file)), **chosen)


_ONE_EVALUATION = ("uniform", "shallow", "deep", "manual", "global")
_ONE_AN_EPISODE = (
    *("residual-gp", "gp-rollout", "ddpg", "ddpg-imagined", "ddpg-paper", "td3", "sac"),
    *("random", "tpe", "cma-es", "evolution", "gp", "knapsack", "front"),
)


_BEGINNING = tuple(name for name in _ONE_AN_EPISODE if name not in ("ddpg-paper", "knapsack"))
"""Strategies, agents aside, that begin with a policy or learn from what is known."""


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
        scan = make_strategy(name, episodes, options or {})
        return groups * (scan.ratios + 1) + 2 if isinstance(scan, Sensitivity) else None
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
