"""How far the search's score may be trusted: what fine-tuning made of a sample of its policies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from amc.tasks import ACCURACY, Score
from experiments.report.comparison import Comparison, Run
from experiments.report.drawing import Picture, marks, score_axis, series_key
from experiments.report.svg import draw
from experiments.runs import Correlation, Trust
from experiments.terminal import printable, scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RELIABLE = 0.5
"""Lower end of the interval from which on an order is called reliable."""


def trust_rows(comparison: Comparison, key: str) -> list[dict[str, Any]]:
    """What the page says of each run that was tried."""
    return [
        {
            "label": run.label,
            "sentences": sentences(found, run.result.score),
            "correlations": found.correlations,
            "picture": _picture(run, found, f"{key}{number}"),
        }
        for number, run in enumerate(comparison.runs)
        if (found := run.result.trust) is not None
    ]


def sentences(found: Trust, score: Score) -> list[str]:
    """The answer, what it costs to believe the score, and how much of it may be noise."""
    return [_answer(found, score), _cost(found, score), _noise(found, score)]


def _answer(found: Trust, score: Score) -> str:
    own = next(one for one in found.correlations if one.score == found.own)
    scores = [one.scores[found.own] for one in found.policies]
    epochs = found.terms["recipe"]["epochs"]
    return (
        f"Of {len(found.policies)} policies with scores from "
        f"{scored(min(scores))} to {scored(max(scores))}, fine-tuned for {epochs:g} "
        f"epoch{'' if epochs == 1 else 's'} on "
        f"{_samples(found.terms['train_samples'])}, the rank correlation of the search's score "
        f"({own.score}) with the {printable(score.name)} afterwards is {own.rho:.2f} (95% "
        f"interval {own.low:.2f} to {own.high:.2f}): {_verdict(own)}."
    )


def _samples(number: int) -> str:
    return f"{number:,} samples" if number else "the training data"


def _verdict(own: Correlation) -> str:
    if own.low >= RELIABLE:
        return "the score puts policies into about the order that they have afterwards"
    if own.low > 0:
        return "the score tells more than chance; how reliable its order is, so few leave open"
    return "in this sample the score's order cannot be told from chance"


def _cost(found: Trust, score: Score) -> str:
    """What is lost by taking the policy with the best score."""
    first = max(found.policies, key=lambda one: score.sign * one.scores[found.own])
    best = max((one.finetuned for one in found.policies), key=lambda value: score.sign * value)
    if first.finetuned == best:
        return "The policy with the best score is also the best after fine-tuning."
    place = 1 + sum(score.better(one.finetuned, first.finetuned) for one in found.policies)
    return (
        f"The policy with the best score comes as number {place} of {len(found.policies)} after "
        f"fine-tuning, {scored(abs(best - first.finetuned))} behind the best of the sample."
    )


def _noise(found: Trust, score: Score) -> str:
    tuned = [one.finetuned for one in found.policies]
    between = f"between {scored(min(tuned))} and {scored(max(tuned))}"
    if score != ACCURACY or not found.terms["judged_samples"]:
        return f"Afterwards scores lie {between}."
    images, mean = found.terms["judged_samples"], float(np.mean(tuned))
    half = 1.96 * math.sqrt(mean * (1 - mean) / images)
    each = f"on {images:,} samples each is known to ± {scored(half)}"
    told = f"Afterwards accuracies lie {between}; {each}"
    narrow = max(tuned) - min(tuned) < 2 * half
    return f"{told}{', so some of their differences may be noise' if narrow else ''}."


def _picture(run: Run, found: Trust, key: str) -> Picture:
    """Score after fine-tuning against the search's score."""
    scores = [one.scores[found.own] for one in found.policies]
    tuned = [one.finetuned for one in found.policies]
    room = 0.08 * max(0.01, max(tuned) - min(tuned))
    name = printable(run.result.score.name)

    def plot(axes: Axes) -> None:
        axes.plot(scores, tuned, **marks(run.series, 8))
        axes.set_xlabel(f"search's score: {name} before fine-tuning")
        axes.locator_params(axis="x", nbins=6)
        score_axis(axes, min(tuned) - room, max(tuned) + room, f"{name} after fine-tuning")

    words = "; ".join(
        f"{scored(score)} became {scored(after)}"
        for score, after in zip(scores, tuned, strict=True)
    )
    caption = (
        "Each mark is a policy that the search evaluated, from the whole range of its scores; the "
        f"{name} afterwards is on samples that no search sees."
    )
    label = (
        f"{name.capitalize()} after fine-tuning against the search's score, {run.label}: {words}."
    )
    return Picture(draw(key, label, 360, 58, plot), (series_key(run.series),), caption)
