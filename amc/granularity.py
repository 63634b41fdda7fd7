"""What a unit is, and from a pruning ratio to a legal number of kept units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amc.parsing import AsText, look_up

Whole = NDArray[np.int64]
Many = TypeVar("Many", int, Whole)

_ROUNDOFF = 1e-9
_PATTERN = re.compile(r"([1-9][0-9]?|n):([1-9][0-9]?)")

CHANNEL = "channel"

GRANULARITIES: dict[str, str] = {
    "channel": "output channels, with all that is coupled to them; shapes shrink",
    "kernel": "the k x k weights between one input and one output channel",
    "vector": "one row of a kernel",
    "element": "single weights",
    "n:m": "of every m consecutive inputs n keep their weight; written 2:4, or n:4 for a free n",
}
"""Short names with what a unit is. All but `channel` set weights to zero and keep the shapes; with
`channel+` before them, those shapes that the channels leave."""

AND = f"{CHANNEL}+"
"""What a granularity begins with that has both kinds of units."""

MAX_RATIO = {"channel": 0.8}
"""Largest pruning ratio of a group where none is given, by granularity; elsewhere `MOST`."""
MOST = 0.99


@dataclass(frozen=True)
class Granularity:
    """What a unit is.

    Args:
        name: "channel", "kernel", "vector", "element" or "n:m".
        n: Of a fixed pattern, weights that stay of every `m`; 0 where the search chooses.
        m: Of a pattern, its length; 0 elsewhere.
        channels: Whether whole channels go too, before what the name says.
    """

    name: str
    n: int = 0
    m: int = 0
    channels: bool = False

    @classmethod
    def parse(cls, text: str | Granularity) -> Granularity:
        """Read `channel`, `kernel`, `vector`, `element`, `2:4` or `n:4`; what is read stays.

        Behind `channel+` all but the first, such as `channel+element`.

        Raises:
            LookupError: for an unknown name.
            ValueError: for a pattern that keeps all or more than all, or for channels twice.
        """
        if isinstance(text, Granularity):
            return text
        if text.startswith(AND):
            finer = cls.parse(text.removeprefix(AND))
            if finer.cuts:
                raise ValueError(
                    f"granularity {text!r} names channels twice; behind {AND} stands what is "
                    f"finer, as in {AND}element or {AND}2:4"
                )
            return replace(finer, channels=True)
        pattern = _PATTERN.fullmatch(text)
        if pattern is None:
            named = {name: name for name in GRANULARITIES if name != "n:m"}
            others = dict.fromkeys(("2:4", "n:4", f"{AND}element", f"{AND}2:4"), "")
            return cls(look_up({**named, **others}, text, "granularity"))
        n, m = 0 if pattern[1] == "n" else int(pattern[1]), int(pattern[2])
        if n >= m or m < 2:
            raise ValueError(
                f"granularity {text!r} prunes nothing; in n:m fewer than m of m weights stay, "
                "as in 2:4"
            )
        return cls("n:m", n, m)

    @property
    def masks(self) -> bool:
        """Whether there are weights that become zeros; otherwise shapes alone shrink."""
        return self.name != CHANNEL

    @property
    def cuts(self) -> bool:
        """Whether shapes shrink; otherwise all of them stay."""
        return self.name == CHANNEL or self.channels

    @property
    def finer(self) -> Granularity:
        """What is left of it without channels, where it has both."""
        return replace(self, channels=False)

    def rounding(
        self, round_to: int = 1, max_ratio: float | None = None, *, depth: bool = True
    ) -> Rounding:
        """Which counts are legal.

        Args:
            round_to: See `Rounding`; of channels alone where there are both.
            max_ratio: See `Rounding`; None takes the granularity's own, 0.8 for channels.
            depth: See `Rounding`.

        Raises:
            ValueError: if a number is out of range, or is given for a fixed pattern, which leaves
                nothing to choose.
        """
        if self.channels:
            finer = self.finer.rounding(1, None if self.n else max_ratio)
            return replace(CHANNELS.rounding(round_to, max_ratio, depth=depth), finer=finer)
        for name, value, free in (("round_to", round_to, 1), ("max_ratio", max_ratio, None)):
            if self.n and value != free:
                raise ValueError(
                    f"{name} is {value}; granularity {self} allows only {self.n} and {self.m} of "
                    f"{self.m}, so leave it out (n:{self.m} leaves it free)"
                )
        most = MAX_RATIO.get(self.name, MOST) if max_ratio is None else max_ratio
        return Rounding(round_to, most, only=self.n, depth=depth)

    def __str__(self) -> str:
        own = f"{self.n or 'n'}:{self.m}" if self.m else self.name
        return AND + own if self.channels else own


CHANNELS = Granularity(CHANNEL)

Unit = Annotated[Granularity, AsText(Granularity.parse)]
"""A granularity in plain data, where it is a text."""


@dataclass(frozen=True)
class Counts(Sequence[int]):
    """Legal kept counts of a group, ascending: `first`, then in steps while below `full`, `full`.

    Not stored one by one, because a layer can have millions of single weights.

    Args:
        first: The fewest, above 0.
        step: From one to the next.
        full: All units.
        none: Whether 0 is legal too, and comes before the first.
    """

    first: int
    step: int
    full: int
    none: bool = False

    def __len__(self) -> int:
        return len(self._below) + 1 + self.none

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        at = range(len(self))[index] - self.none
        if at < 0:
            return 0
        return self._below[at] if at < len(self._below) else self.full

    def __contains__(self, value: object) -> bool:
        return value == self.full or value in self._below or (self.none and value == 0)

    @property
    def _below(self) -> range:
        return range(self.first, self.full, self.step)


@dataclass(frozen=True)
class Rounding:
    """Which kept counts a group may have.

    Legal are the multiples of `round_to` and the full count, from the smallest that leaves at least
    1 - `max_ratio` of the units (and one unit, or `round_to` of them where there are as many). With
    `depth`, 0 is legal as well wherever the network goes on without (`amc.graph.Branch`).

    Args:
        round_to: Kept counts are multiples of this; 1 allows every count.
        max_ratio: Largest pruning ratio of a group, a_max of AMC's Algorithm 1, in (0, 1).
        only: The one legal count beside the full one; 0 where the others decide.
        steps: In place of `round_to` for each group of one network (`amc.costs.latency.in_blocks`).
        widths: Legal counts of each group of one network, ascending to the full count, where they
            follow no rule (`amc.costs.latency.fast_counts`); they go before all others.
        depth: Whether whole branches may go.
        finer: Of the groups that mask, where others are channels; None where all groups are alike.

    Raises:
        ValueError: if a number is out of range.
    """

    round_to: int = 1
    max_ratio: float = 0.8
    only: int = 0
    steps: tuple[int, ...] = ()
    widths: tuple[tuple[int, ...], ...] = ()
    depth: bool = True
    finer: Rounding | None = None

    def __post_init__(self) -> None:
        for step in (self.round_to, *self.steps):
            if step < 1:
                raise ValueError(f"round_to is {step}; it must be 1 or more channels")
        if not 0 < self.max_ratio < 1:
            raise ValueError(f"max_ratio is {self.max_ratio}; it must lie between 0 and 1")

    def counts(self, units: int, step: int = 0) -> Counts:
        """All legal kept counts of a group of `units`, ascending; the last is `units`.

        Args:
            units: All of the group's.
            step: In place of `round_to`, where it is not 0.
        """
        if self.only:
            return Counts(min(self.only, units), max(1, units - self.only), units)
        fewest = max(1, int(np.ceil(units * (1 - self.max_ratio) - _ROUNDOFF)))
        step = step or self.round_to
        return Counts(-(-fewest // step) * step, step, units)

    def nearest(self, units: int, ratio: float) -> int:
        """The legal count closest to removing `ratio` of `units`; see `nearest`."""
        return nearest(self.counts(units), ratio)

    def legal(self, full: Sequence[int]) -> tuple[Sequence[int], ...]:
        """Legal kept counts above 0 of each group, ascending; the last is its full count.

        `amc.graph.PruningGraph.legal` tells them where groups are of two kinds.

        Args:
            full: (groups,) units of the unpruned groups.
        """
        steps = self.steps or (0,) * len(full)
        return self.widths or tuple(self.counts(*own) for own in zip(full, steps, strict=True))


def or_none(counts: Sequence[int]) -> Sequence[int]:
    """These legal counts of a group, and 0."""
    return replace(counts, none=True) if isinstance(counts, Counts) else (0, *counts)


def part(total: Many, kept: Many, units: int) -> Many:
    """Of a layer that is smaller than it was as many units as are to stay of the whole; at least 1.

    Args:
        total: Units that the layer has now, of any shape.
        kept: Units that would stay of the layer as it came, of the same shape.
        units: It came with.
    """
    found: Many = -(-total * kept // units)
    return found


def nearest(counts: Sequence[int], ratio: float) -> int:
    """The legal count closest to removing `ratio` of all units; of two equally close, the larger.

    Args:
        counts: Legal counts of a group, ascending; the last is all of its units.
        ratio: Pruning ratio in [0, 1]; beyond the largest legal one it is clipped.
    """
    return int(counts_at(counts, nearest_index(counts, ratio)))


def counts_at(counts: Sequence[int], index: Whole) -> Whole:
    """Legal counts by their index, of any shape.

    Args:
        counts: Legal counts of a group, ascending; the last is all of its units.
        index: From 0 to the last one's.
    """
    if not isinstance(counts, Counts):
        return np.asarray(counts, np.int64)[index]
    above: Whole = np.asarray(index) - counts.none
    return np.where(above < 0, 0, np.minimum(counts.first + above * counts.step, counts.full))


def nearest_index(counts: Sequence[int], ratios: ArrayLike) -> Whole:
    """What `nearest` finds, for ratios of any shape, by its index.

    Args:
        counts: Legal counts of a group, ascending; the last is all of its units.
        ratios: Pruning ratios in [0, 1].
    """
    wanted = counts[-1] * (1 - np.asarray(ratios, np.float64))
    if isinstance(counts, Counts):
        over = np.ceil((wanted - counts.first) / counts.step).clip(0).astype(np.int64) + counts.none
    else:
        over = np.searchsorted(counts, wanted)
    over = over.clip(0, len(counts) - 1)
    under = (over - 1).clip(0)
    more, fewer = counts_at(counts, over), counts_at(counts, under)
    close: Whole = np.where(more - wanted <= wanted - fewer, over, under)
    return close


def below(counts: Sequence[int], ratios: ArrayLike) -> Whole:
    """The largest legal counts that keep at most 1 - ratio of all units, else the smallest above 0.

    Args:
        counts: Legal counts of a group, ascending; the last is all of its units.
        ratios: Pruning ratios in [0, 1], of any shape.
    """
    asked = np.asarray(ratios, np.float64)
    if isinstance(counts, Counts):
        return below_in_steps((counts.first, counts.step, counts.full), asked)
    listed = np.asarray(counts, np.int64)
    listed = listed[listed > 0]
    wanted = counts[-1] * (1 - asked) + _ROUNDOFF
    found: Whole = listed[(listed.searchsorted(wanted, "right") - 1).clip(0)]
    return found


def below_in_steps(steps: ArrayLike, ratios: NDArray[np.float64]) -> Whole:
    """The same of many groups at once, each with regular steps.

    Args:
        steps: (3,) or (3, groups) first, step and full of `Counts`.
        ratios: (..., groups) pruning ratios in [0, 1].
    """
    first, step, full = np.asarray(steps)
    wanted = full * (1 - ratios) + _ROUNDOFF
    last = first + (full - 1 - first) // step * step
    down = first + ((wanted - first) // step).astype(np.int64) * step
    within = np.minimum(np.maximum(down, first), last)
    found: Whole = np.where((wanted >= full) | (first >= full), full, within)
    return found


def above(counts: Sequence[int], kept: Whole) -> Whole:
    """The next larger legal counts; those that are all units stay.

    Args:
        counts: Legal counts of a group, ascending; the last is all of its units.
        kept: Legal counts, of any shape.
    """
    if isinstance(counts, Counts):
        return np.where(kept, np.minimum(kept + counts.step, counts.full), counts.first)
    listed = np.asarray(counts, np.int64)
    found: Whole = listed[listed.searchsorted(kept, "right").clip(max=len(listed) - 1)]
    return found
