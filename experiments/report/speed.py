"""How long both networks really take, where somebody measured it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.report.comparison import Run
from experiments.runs import Pace, RunResult
from experiments.settings import AUTO
from experiments.terminal import count, milliseconds, printable

APART = 1.5
"""How far quartiles may be apart, as a part of the lower one, for a reason to be looked for."""

BUSY = "The machine was too busy to tell; `amc export` measures once more."

CALLS = 50e-6
"""Seconds a group below which PyTorch's calls of operators take most of a pass: a layer with its
norm and activation is three of them."""

LANES = 8
"""Units that runtimes compute at once, at the least: a register of AVX2 holds so many numbers."""


@dataclass(frozen=True)
class Speed:
    """A pass of both networks, measured.

    Args:
        unpruned: Seconds.
        pruned: Seconds.
        times: How many times as fast the pruned one is.
        verdict: faster, slower, or neither by more than the measurement's own noise.
        noise: That noise, in words.
        where: Runtime and device.
    """

    unpruned: float
    pruned: float
    times: float
    verdict: str
    noise: str
    where: str

    @property
    def passes(self) -> str:
        """Before and after."""
        return f"{milliseconds(self.pruned)}, before {milliseconds(self.unpruned)}"


def speed(run: Run) -> Speed | None:
    """What `amc export` measured, else what the run itself did at its end; None without either."""
    return _of_export(run) or _of_run(run) or _of_pace(run.result)


def slow_sentence(label: str, result: RunResult) -> str:
    """What to say of a network that is smaller and no faster, and what may mend it; else nothing.

    Args:
        label: Of the run.
        result: With its pace. Of one with a latency table the latency that was measured is told.
    """
    found, pace = _of_pace(result), result.pace
    if found is None or pace is None or found.verdict == "faster" or result.latency is not None:
        return ""
    low, _, high = pace.times
    why = BUSY if high > APART * low else _why(result, pace)
    return (
        f"{label} is {found.verdict}: {found.times:.2f} times as fast ({found.noise}; "
        f"{printable(found.where)}). {why}"
    )


def _why(result: RunResult, pace: Pace) -> str:
    if not result.granularity.cuts:
        return (
            "Weights that are zero are multiplied like all others; --granularity channel takes "
            "units out."
        )
    if pace.unpruned < CALLS * len(result.groups):
        return (
            "A pass is so short that calling its operators takes most of it, whatever they "
            "compute; `amc export` measures in onnxruntime, which calls them faster."
        )
    masked = ".weight" if result.granularity.masks else "/"
    channels = [group for group in result.groups if not group.name.endswith(masked)]
    wide = [group for group in channels if group.total >= 4 * LANES]
    odd = [group for group in wide if group.kept % LANES]
    if odd and result.config.get("round_to") != AUTO:
        return (
            f"{len(odd)} of {count(len(wide), 'group')} of {4 * LANES} units and more keep counts "
            f"that are no multiples of {LANES}, which cost what the next multiple does or more; "
            f"--round-to {AUTO}, taken where none is given, keeps to them."
        )
    return (
        "MACs are not what its time goes by; a budget of latency is, from a table that `amc "
        "profile` makes."
    )


def speed_notes(runs: Sequence[Run]) -> list[str]:
    """Where and how surely each network was measured, and what may mend one that is no faster."""
    return [note for run in runs if (note := _speed_note(run))]


def _speed_note(run: Run) -> str:
    if (exported := _of_export(run)) is not None:
        return _note(run.label, exported)
    paced = _of_pace(run.result)
    if paced is None or run.result.latency is not None:
        return ""  # Told by a note of its own.
    return slow_sentence(run.label, run.result) or _note(run.label, paced)


def _note(label: str, found: Speed) -> str:
    return (
        f"The speed of {label} is measured in {printable(found.where)}: {found.verdict}, "
        f"{found.times:.2f} times as fast ({found.noise})."
    )


def _of_export(run: Run) -> Speed | None:
    found, costs = run.exported, run.result.costs
    if found is None or not {"macs", "params"} <= set(costs):
        return None
    if (found.macs, found.params) != (costs["macs"].pruned, costs["params"].pruned):
        return None  # of another network that was in this folder before
    return _between(found.unpruned, found.pruned, found.speedup, found.device)


def _of_run(run: Run) -> Speed | None:
    found = run.result.latency
    if found is None:
        return None
    noise = f"one network measured twice differs by {100 * found.noise:.1f}%"
    times = 1 / found.fraction
    verdict = _verdict(times * (1 - found.noise), times * (1 + found.noise))
    where = "on the device of the latency table"
    return Speed(found.unpruned, found.pruned, times, verdict, noise, where)


def _of_pace(result: RunResult) -> Speed | None:
    found = result.pace
    if found is None:
        return None
    return _between(found.unpruned, found.pruned, found.times, found.where)


def _between(
    unpruned: float, pruned: float, times: tuple[float, float, float], where: str
) -> Speed:
    """Of the quartiles of how many times as fast it is."""
    low, median, high = times
    noise = f"{low:.2f} to {high:.2f} times between the quartiles"
    return Speed(unpruned, pruned, median, _verdict(low, high), noise, where)


def _verdict(low: float, high: float) -> str:
    """Of how many times as fast it is at the least and at the most."""
    if low > 1:
        return "faster"
    return "slower" if high < 1 else "not measurably faster"
