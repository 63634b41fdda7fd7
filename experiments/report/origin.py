"""How the runs were made: settings and machines, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from experiments.report.comparison import Comparison
from experiments.runs import RunResult
from experiments.terminal import MISSING, duration, printable


@dataclass(frozen=True)
class Row:
    """One setting: a value for all runs, or one a run where they differ."""

    name: str
    values: tuple[str, ...]

    @property
    def shared(self) -> bool:
        """Whether one value is that of all runs."""
        return len(self.values) == 1


def settings_rows(comparison: Comparison) -> list[tuple[str, list[Row]]]:
    """Settings, then machine, then times; each row with the values of all runs."""
    results = [run.result for run in comparison.runs]
    tables = (
        ("Settings", [_settings(result) for result in results]),
        ("Machine and versions", [dict(result.machine) for result in results]),
        ("Time", [_times(result) for result in results]),
    )
    return [(name, _rows(columns)) for name, columns in tables]


def _settings(result: RunResult) -> dict[str, str]:
    """The run's own account comes first; what the settings say about the same is left out."""
    known = {"model": result.model}
    known |= {"dataset": result.dataset} if result.dataset else {}
    known |= {"strategy": result.strategy}
    known |= {"budget": ", ".join(map(str, result.budgets)) or "none", "seed": str(result.seed)}
    return known | {k: v for k, v in _flat(result.config) if k not in {*known, "budgets"}}


def _times(result: RunResult) -> dict[str, str]:
    return {name: duration(seconds) for name, seconds in result.seconds.items()}


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings by dotted names; those left unset do not appear."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value not in (None, ""):
            words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield f"{prefix}{name}", words


def _rows(columns: list[dict[str, str]]) -> list[Row]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [Row(printable(name), _values(columns, name)) for name in names]


def _values(columns: list[dict[str, str]], name: str) -> tuple[str, ...]:
    values = [printable(column.get(name, MISSING)) for column in columns]
    return tuple(values[:1] if len(set(values)) == 1 else values)
