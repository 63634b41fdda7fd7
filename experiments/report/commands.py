"""The commands that use a result again, ready to paste into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.report.comparison import Run
from experiments.runs import RunResult
from experiments.settings import CommandSettings, PruneSettings, SearchSettings, code_in, flat
from experiments.terminal import printable

FOLDER = "RUN"
"""Stands for the run's folder where the settings do not name it."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """What can be done with one run; a command is None where it cannot be.

    Args:
        label: Of the run.
        prune: Makes the smaller network again from the policy; words that stay on one line each.
        export: Writes the finished network for other programs, and measures it.
        report: Makes the run's report again.
        search: Makes the whole run again.
        python: Loads the finished network.
        tuned: Whether the search left weights that the policy alone does not bring back.
    """

    label: str
    prune: Words | None
    export: Words | None
    report: Words | None
    search: Words | None
    python: str
    tuned: bool


def use(run: Run) -> Use:
    """The commands for one run, from its settings; settings at their defaults do not appear."""
    result, here = run.result, folder(run.result)
    if not result.dataset:
        # A search that was called from Python: no command knows its network and samples.
        return Use(run.label, None, None, None, None, _python(here), result.tuned_steps > 0)
    return Use(
        label=run.label,
        prune=_prune(result, here),
        export=("amc export", _quote(here), "--format onnx", *_code(result)),
        report=("amc report", _quote(here)),
        search=None if "policy" in result.config else _search(result, here),
        python=_python(here),
        tuned=result.tuned_steps > 0,
    )


def _code(result: RunResult) -> Words:
    """A network and data set that are imported: a run's folder alone cannot ask for that."""
    return _flags(code_in(_named(result)))


def _named(result: RunResult) -> dict[str, object]:
    """The network, and what it is scored on."""
    kind = "task" if result.config.get("task") else "dataset"
    return {"model": result.model, kind: result.dataset}


def folder(result: RunResult) -> str:
    """Where the run was written: its setting `out`."""
    out = printable(str(result.config.get("out") or FOLDER))
    return out.rstrip("/") or out


def _prune(result: RunResult, here: str) -> Words:
    named = {"policy": f"{here}/policy.json", **_named(result)}
    flags = named | _changes(PruneSettings, result.config, {*named, "budget"})
    return ("amc prune", *_flags(flags | {"out": f"{here}-pruned"}))


def _search(result: RunResult, here: str) -> Words:
    named: dict[str, object] = {**_named(result)}
    budget: dict[str, object] = {"seed": result.seed}
    if result.proof is None:  # Else the goal, which is a setting, says both.
        named = {**named, "strategy": result.strategy}
        budget = {"budget": ",".join(map(str, result.budgets)), **budget}
    flags = named | budget | _changes(SearchSettings, result.config, {*named, *budget})
    return ("amc search", *_flags(flags | {"out": f"{here}-again"}))


def _changes(
    kind: type[CommandSettings], settings: Mapping[str, Any], told: set[str]
) -> dict[str, object]:
    """The settings that a command knows and that are not at its defaults."""
    changed: dict[str, object] = {}
    for name, default in flat(kind()).items():
        value = settings.get(name)
        if name in {*told, "out"} or value is None or value == default:
            continue
        if isinstance(value, Mapping):
            changed |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            changed[name] = value
    return changed


def _flags(values: Mapping[str, object]) -> Words:
    return tuple(
        f"--{_quote(name.replace('_', '-'))} {_quote(value)}" for name, value in values.items()
    )


def _quote(value: object) -> str:
    return shlex.quote(printable(str(value)))


def _python(here: str) -> str:
    weights = f"{here}/model.safetensors"
    return f"import amc\n\nsmaller = amc.load_pruned(model, example_inputs, {weights!r})"
