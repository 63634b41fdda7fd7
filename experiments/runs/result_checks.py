"""Parts of a run's result that do not go together, though each by itself is what it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amc.history import Outcome
from amc.parsing import MOST, Amount, Count, read_record
from amc.policy import GroupChoice
from experiments.settings import PruneSettings, SearchSettings, from_flat

if TYPE_CHECKING:
    from experiments.runs.results import Choice, RunResult, Trust


@dataclass(frozen=True)
class Passes:
    """How often policies are fine-tuned on all images."""

    epochs: Amount


@dataclass(frozen=True)
class Terms:
    """Of the terms that policies are tried on, what a report tells.

    Args:
        recipe: Of fine-tuning.
        train_samples: That they are fine-tuned on.
        judged_samples: That they are measured on afterwards.
    """

    recipe: Mapping[str, Any]
    train_samples: Count
    judged_samples: Count


def mistakes(result: RunResult) -> Iterator[str]:
    """What is wrong, each in words, where each part is of its type.

    Raises:
        ValueError: for something wrong as well.
    """
    if not result.groups or not result.costs:
        yield f"{'costs' if result.groups else 'groups'} are empty"
    for group in result.groups:
        if not 0 <= group.kept <= group.total:
            yield f"group {group.name!r} keeps {group.kept} of {group.total} units"
    for one in result.evaluations:
        yield from _wrong(one, result)
    low, high = _range(result)
    for scores in (result.unpruned, result.searched, result.finetuned, result.in_bytes):
        for value in () if scores is None else (scores.holdout, scores.test):
            if value is not None and not low <= value <= high:
                yield f"{result.score.name} {value:g} is out of its range"
    if result.trust:
        yield from _untrusted(result.trust, result.groups)
    if result.choice:
        yield from _unchosen(result.choice, result)
    for layer in result.stored:
        if not 0 <= layer.kept <= layer.weights:
            yield f"layer {layer.layer!r} keeps {layer.kept} of {layer.weights} weights"
    yield from _misread(result)


def _wrong(one: Outcome, result: RunResult) -> Iterator[str]:
    what = f"evaluation {one.number}"
    yield from _unsuited(what, one.kept, result.groups)
    # Of one that was stopped early it is an estimate, which can fall below the least.
    low, high = _range(result)
    if not (low if one.seen is None else low - (high - low)) <= one.score <= high:
        yield f"{what} has {result.score.name} {one.score:g}"
    if not -1 <= one.merit <= 1:
        yield f"{what} has merit {one.merit:g}"
    if one.costs.keys() != result.costs.keys():
        yield f"{what} does not have the costs of the result"
    if not all(0 <= amount <= MOST for amount in (*one.costs.values(), one.seconds)):
        yield f"{what} has a cost or a time below 0 or too large"


def _range(result: RunResult) -> tuple[float, float]:
    return result.score.bounds or (-MOST, MOST)


def _unchosen(choice: Choice, result: RunResult) -> Iterator[str]:
    whole = [one.name for one in choice.finalists if len(one.looks) == len(choice.steps)]
    if choice.chosen not in whole:
        yield f"choice has no finalist {choice.chosen!r} that was looked at to the end"
    low, high = _range(result)
    for one in choice.finalists:
        yield from _unsuited(f"finalist {one.name!r}", one.kept, result.groups)
        if not all(low <= score <= high for score in (one.searched, *one.looks)):
            yield f"finalist {one.name!r} has a {result.score.name} out of its range"
        if not 0 < len(one.looks) <= len(choice.steps):
            yield f"finalist {one.name!r} has {len(one.looks)} of {len(choice.steps)} looks"


def _untrusted(trust: Trust, groups: Sequence[GroupChoice]) -> Iterator[str]:
    terms = read_record(Terms, trust.terms, "trust.terms", others=True)
    read_record(Passes, terms.recipe, "trust.terms.recipe", others=True)
    if trust.own not in [found.score for found in trust.correlations]:
        yield f"trust has no correlation of its own score {trust.own!r}"
    if not trust.policies:
        yield "trust.policies are empty"
    for tried in trust.policies:
        what = f"policy {tried.number} of trust"
        yield from _unsuited(what, tried.kept, groups)
        if trust.own not in tried.scores:
            yield f"{what} has no score {trust.own!r}"


def _unsuited(what: str, kept: Sequence[int], groups: Sequence[GroupChoice]) -> Iterator[str]:
    if len(kept) != len(groups):
        yield f"{what} has {len(kept)} kept counts for {len(groups)} groups"
    for count, group in zip(kept, groups, strict=False):
        if not 0 <= count <= group.total:
            yield f"{what} keeps {count} of {group.total} units of {group.name!r}"


def _misread(result: RunResult) -> Iterator[str]:
    """Settings that cannot be understood."""
    try:
        from_flat(SearchSettings, result.config, others=True)
        from_flat(PruneSettings, result.config, others=True)
    except ValueError as error:
        yield f"config: {error}"
