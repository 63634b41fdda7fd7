"""How long both networks really take, where somebody measured it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.report.comparison import Run
from experiments.terminal import milliseconds, printable


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
    return _of_export(run) or _of_run(run)


def speed_notes(runs: Sequence[Run]) -> list[str]:
    """Where and how surely each exported network was measured."""
    found = [(run.label, _of_export(run)) for run in runs]
    return [_note(label, speed) for label, speed in found if speed is not None]


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
    low, median, high = found.speedup
    noise = f"{low:.2f} to {high:.2f} times between the quartiles"
    return Speed(found.unpruned, found.pruned, median, _verdict(low, high), noise, found.device)


def _of_run(run: Run) -> Speed | None:
    found = run.result.latency
    if found is None:
        return None
    noise = f"one network measured twice differs by {100 * found.noise:.1f}%"
    times = 1 / found.fraction
    verdict = _verdict(times * (1 - found.noise), times * (1 + found.noise))
    where = "on the device of the latency table"
    return Speed(found.unpruned, found.pruned, times, verdict, noise, where)


def _verdict(low: float, high: float) -> str:
    """Of how many times as fast it is at the least and at the most."""
    if low > 1:
        return "faster"
    return "slower" if high < 1 else "not measurably faster"
