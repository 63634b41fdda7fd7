"""What to say of a network that was chosen among several by short fine-tunings."""

from __future__ import annotations

from experiments.runs import Finalist, RunResult
from experiments.terminal import duration, join_words, printable, scored


def choice_sentence(label: str, result: RunResult) -> str:
    """Which finalist was taken, what they were worth, and what it cost; else nothing."""
    choice = result.choice
    if choice is None:
        return ""
    longest = max(len(one.looks) for one in choice.finalists)
    last = [one for one in choice.finalists if len(one.looks) == longest]
    taken = next(one for one in last if one.name == choice.chosen)
    others = [one for one in last if one is not taken]
    steps = join_words([f"{number:,}" for number in choice.steps])
    return (
        f"Of {len(choice.finalists)} finalists of {label}, fine-tuned for {steps} steps, "
        f"{_valued(taken)} was taken, ahead of {join_words([*map(_valued, others)])} by "
        f"{printable(result.score.name)} on held-out samples then; choosing took "
        f"{duration(result.seconds.get('choose', 0.0))}."
    )


def _valued(one: Finalist) -> str:
    return f"{printable(one.name)} ({scored(one.looks[-1])}, {scored(one.searched)} after the cut)"
