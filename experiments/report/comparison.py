"""Runs sorted into what may be compared: same network, same data, a label and a look for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from amc.policy import Budget
from amc.tasks import Score
from experiments.report.exports import Exported
from experiments.report.markers import COLOURS, MARKERS
from experiments.runs import RunResult
from experiments.terminal import printable

# Strategies that come with the project keep their look from report to report.
KNOWN = (
    *("residual-gp", "netadapt", "uniform", "manual", "random", "ddpg-paper"),
    *("tpe", "cma-es", "sensitivity", "global", "shallow", "deep", "ddpg"),
    *("td3", "sac", "gp-rollout", "evolution", "gp", "knapsack", "front"),
)

Member = tuple[RunResult, Exported | None]


@dataclass(frozen=True)
class Series:
    """What is drawn alike: one strategy under one budget, whatever its seeds.

    Args:
        label: For legends; unique in its comparison.
        colour: Index into the palette.
        marker: A key of `MARKERS`.
    """

    label: str
    colour: int
    marker: str


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        result: Its own account.
        label: Tells it apart in its comparison.
        series: How it is drawn.
        exported: What `amc export` measured of it; None where it did not.
    """

    result: RunResult
    label: str
    series: Series
    exported: Exported | None = None


@dataclass(frozen=True)
class Comparison:
    """The runs that pruned one network trained on one data set, in the order given.

    Args:
        title: Network and data set.
        runs: At least one; all have the same groups, of which there is at least one.
    """

    title: str
    runs: tuple[Run, ...]

    @property
    def series(self) -> tuple[Series, ...]:
        """Each once, in the order of the runs."""
        return tuple(dict.fromkeys(run.series for run in self.runs))

    @property
    def score(self) -> Score:
        """What the runs' scores are."""
        return self.runs[0].result.score

    @property
    def costs(self) -> tuple[str, ...]:
        """Short names of the costs that budgets limit; "macs" without budgets."""
        named = dict.fromkeys(one.cost for run in self.runs for one in run.result.budgets)
        return tuple(named) or ("macs",)

    def runs_of(self, series: Series) -> list[Run]:
        """The runs drawn as `series`: its seeds."""
        return [run for run in self.runs if run.series == series]


def compare(
    results: Sequence[RunResult], exports: Sequence[Exported | None] | None = None
) -> tuple[Comparison, ...]:
    """Sort results into comparisons, in the order in which their networks first come.

    Args:
        results: Of finished runs.
        exports: What `amc export` measured of each; left out, nothing.

    Raises:
        ValueError: if there are no results.
    """
    if not results:
        raise ValueError("there are no results to report; name at least one run folder")
    looks = _looks(result.strategy for result in results)
    networks: dict[object, list[Member]] = {}
    for result, extra in zip(results, exports or [None] * len(results), strict=True):
        networks.setdefault(_network(result), []).append((result, extra))
    return tuple(_comparison(members, looks) for members in networks.values())


def _network(result: RunResult) -> object:
    groups = tuple((group.name, group.total) for group in result.groups)
    return result.model, result.dataset, result.granularity, result.score, groups


def _looks(strategies: Iterable[str]) -> dict[str, int]:
    """A number per strategy, fixed for the known ones, from which colour and marker follow."""
    others = sorted(set(strategies) - set(KNOWN))
    return {name: number for number, name in enumerate((*KNOWN, *others))}


def _comparison(members: Sequence[Member], looks: dict[str, int]) -> Comparison:
    results, extras = zip(*members, strict=True)
    first = results[0]
    budgets = list(dict.fromkeys(result.budgets for result in results))
    series = [_series(result, looks[result.strategy], budgets) for result in results]
    unit = f", {first.granularity} pruning" if first.granularity.masks else ""
    where = f" on {printable(first.dataset)}" if first.dataset else ""
    title = f"{printable(first.model)}{where}{unit}"
    return Comparison(title, tuple(map(Run, results, _labels(results, series), series, extras)))


def _series(result: RunResult, look: int, budgets: list[tuple[Budget, ...]]) -> Series:
    """Colour by strategy; the shape also tells budgets, and colours that come round, apart."""
    told = map(str, result.budgets) if len(budgets) > 1 else ()
    label = ", ".join(map(printable, (result.strategy, *told)))
    shape = look + look // COLOURS + budgets.index(result.budgets)
    return Series(label, look % COLOURS, list(MARKERS)[shape % len(MARKERS)])


def _labels(results: Sequence[RunResult], series: Sequence[Series]) -> list[str]:
    """The series' label, with the seed where it has several, and a number where all is equal."""
    runs_of = Counter(series)
    labels: list[str] = []
    for result, own in zip(results, series, strict=True):
        labels.append(f"{own.label}, seed {result.seed}" if runs_of[own] > 1 else own.label)
    return [_number(labels, place) for place in range(len(labels))]


def _number(labels: Sequence[str], place: int) -> str:
    earlier = labels[:place].count(labels[place])
    return f"{labels[place]} ({earlier + 1})" if earlier else labels[place]


def gone_groups(result: RunResult) -> list[str]:
    """Groups of which nothing is left, in forward order."""
    return [group.name for group in result.groups if not group.kept]
