"""What a search's scores are worth by themselves: their noise, and their luck."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amc.tasks import ACCURACY
from experiments.report.comparison import Comparison, Run
from experiments.report.convergence import progress
from experiments.runs import RunResult
from experiments.terminal import count, scored


def score_notes(comparison: Comparison) -> list[str]:
    """What is known of the scores without fine-tuning anything, sentence by sentence."""
    runs = comparison.runs
    notes = [note for note in (*_noise(runs), *map(_luck, runs)) if note]
    if not any(run.result.trust for run in runs):
        # A search that was called from Python names no data set, so that no command can repeat it.
        how = "; amc trust RUN does" if all(run.result.dataset for run in runs) else ""
        notes.append(
            "How well the order of the scores agrees with that after fine-tuning, the rank "
            f"correlation, was not measured here{how}."
        )
    return notes


def margin(value: float, images: int) -> float:
    """Half of the 95% interval of an accuracy that was measured on so many images."""
    return 1.96 * math.sqrt(max(value * (1 - value), 0.25 / images) / images)


def _noise(runs: Sequence[Run]) -> list[str]:
    """One sentence for each number of images."""
    told: dict[int, float] = {}
    for run in runs:
        images, done = run.result.samples.get("search", 0), progress(run.result)
        if run.result.score != ACCURACY:
            continue
        if images and done.best:
            told.setdefault(images, done.best[-1][1])
    return [
        f"A candidate was scored on {count(images, 'image')}: that leaves an accuracy of "
        f"{scored(value)} uncertain by ±{margin(value, images):.4f} (95%), so candidates that "
        "are closer may stand in the wrong order."
        for images, value in told.items()
    ]


def _luck(run: Run) -> str:
    """The best of many scores is flattered; images that no step saw tell by how much."""
    done, result = progress(run.result), run.result
    score, test = done.best[-1][1] if done.best else 0.0, result.searched.test
    if len(done.scores) < 2 or not done.best or test is None or result.unpruned.test is None:
        return ""
    flattery = result.score.sign * (score - test - (result.unpruned.holdout - result.unpruned.test))
    verb = "flatters it by" if flattery > 0 else "is too modest by"
    return (
        f"{run.label}: the best of {count(len(done.scores), 'score')} is {scored(score)}, "
        f"and on test samples, which no step saw, the same network has {scored(test)}. Beside "
        f"what the unpruned network loses between the two, the score {verb} {scored(abs(flattery))}"
        f"{_chance(result, score, test)}."
    )


def _chance(result: RunResult, score: float, test: float) -> str:
    seen, unseen = result.samples.get("search", 0), result.samples.get("test", 0)
    if not seen or not unseen or result.score != ACCURACY:
        return ""
    both = math.hypot(margin(score, seen), margin(test, unseen))
    return f"; the choice of images alone explains up to {both:.4f}"
