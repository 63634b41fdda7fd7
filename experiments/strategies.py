"""Strategies by their short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from agents import DDPGSearch, Settings
from amc.names import look_up
from amc.problem import Strategy
from amc.rules import Manual, Uniform
from experiments.zoo.importing import import_named
from netadapt import NetAdapt

T = TypeVar("T")
Options = Mapping[str, Any]


def make_strategy(name: str, episodes: int, options: Options) -> Strategy:
    """The strategy of a short name, or of package.module:Class.

    Args:
        name: As on the command line.
        episodes: Candidates to evaluate, where the strategy lets one choose.
        options: Further settings by name.

    Raises:
        LookupError: for an unknown name or option.
        ValueError: for a value out of range.
    """
    if ":" in name:
        made = import_named(name, "strategy")
        if not callable(made):
            raise ValueError(f"strategy {name!r} cannot be called; name a class with search()")
        strategy: Strategy = made(**options)
        return strategy
    return look_up(STRATEGIES, name, "strategy")(episodes, options)


def _ddpg(episodes: int, options: Options) -> Strategy:
    return _agent(DDPGSearch(_positive(episodes)), options)


def _ddpg_paper(episodes: int, options: Options) -> Strategy:
    return _agent(DDPGSearch(_positive(episodes), settings=Settings.published()), options)


def _agent(search: DDPGSearch, options: Options) -> DDPGSearch:
    own = {key: value for key, value in options.items() if key == "reward"}
    rest = {key: value for key, value in options.items() if key != "reward"}
    return replace(search, settings=configured(search.settings, rest, "ddpg"), **own)


def _netadapt(episodes: int, options: Options) -> Strategy:
    lr = {"lr": options["lr"]} if "lr" in options else {}
    rest = {key: value for key, value in options.items() if key != "lr"}
    loop = NetAdapt()
    recipe = configured(loop.recipe, lr, "netadapt")
    return replace(configured(loop, rest, "netadapt"), recipe=recipe)


def _uniform(episodes: int, options: Options) -> Strategy:
    return configured(Uniform(), options, "uniform")


def _manual(episodes: int, options: Options) -> Strategy:
    if "file" not in options:
        raise ValueError(
            "manual needs a YAML file of layer patterns and ratios; give --options.file FILE"
        )
    rest = {key: value for key, value in options.items() if key != "file"}
    return configured(Manual(read_ratios(Path(options["file"]))), rest, "manual")


STRATEGIES: dict[str, Callable[[int, Options], Strategy]] = {
    "ddpg": _ddpg,
    "ddpg-paper": _ddpg_paper,
    "netadapt": _netadapt,
    "uniform": _uniform,
    "manual": _manual,
}
"""Short names on the command line."""


def configured(default: T, options: Options, strategy: str) -> T:
    """A copy of a data class with some fields set, each turned into the type that it has.

    Raises:
        LookupError: for an unknown field.
        ValueError: for a value of another type.
    """
    known = {item.name: getattr(default, item.name) for item in fields(default)}  # type: ignore[arg-type]
    values = {}
    for name, value in options.items():
        before = look_up(known, name, f"option of {strategy}")
        values[name] = _as_type_of(before, value, f"{strategy}: option {name}")
    return replace(default, **values)  # type: ignore[type-var]


def _as_type_of(before: Any, value: Any, what: str) -> Any:
    wanted = type(before)
    words = {"true": True, "false": False}
    if wanted is bool:
        value = words.get(str(value).lower(), value)
        if isinstance(value, bool):
            return value
    elif wanted in (int, float, str):
        try:
            return wanted(value)
        except (TypeError, ValueError):
            pass
    raise ValueError(f"{what} is {value!r}; it must be of type {wanted.__name__}")


def read_ratios(path: Path) -> dict[str, float]:
    """Layer patterns and pruning ratios from a YAML file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is not a mapping from patterns to numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file of manual ratios at {path}; write `pattern: ratio` lines")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(f"{path}: not valid YAML; write `pattern: ratio` lines") from None
    if not isinstance(data, dict) or not all(_is_number(value) for value in data.values()):
        raise ValueError(f"{path}: must map layer patterns to ratios, as in `stages.2.*: 0.5`")
    return {str(pattern): float(ratio) for pattern, ratio in data.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _positive(episodes: int) -> int:
    if episodes < 1:
        raise ValueError(f"--episodes is {episodes}; a search evaluates 1 candidate or more")
    return episodes
