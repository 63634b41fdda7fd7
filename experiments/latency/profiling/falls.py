"""What a program's numbers lose with a unit of each group, and how few exports tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.latency.profiling.program import Program, Shape

Slopes = Mapping[str, NDArray[np.int64]]

PROBES = 6
"""Exports that tell what falls with which of more groups than these; of fewer one a group does."""

DRAWS = 100
"""Of what probes take away, until no two groups fall alike in all of them."""


@dataclass(frozen=True)
class Falls:
    """What a program's numbers lose with a unit of each group.

    Args:
        shapes: For each tensor, (groups, axes).
        numbers: For constants that have widths in them, (groups, ...).
        attributes: For operators that have widths in their attributes, by the name of their first
            output, and for each such attribute, (groups,) or (groups, numbers).
    """

    shapes: Slopes
    numbers: Slopes = field(default_factory=dict)
    attributes: Mapping[str, Slopes] = field(default_factory=dict)

    def of(self, program: Program, full: Mapping[str, Shape], gone: NDArray[np.int64]) -> Program:
        """The program without so many units of each group, its weights left as they are.

        Args:
            program: Of the whole.
            full: Its shapes.
            gone: (groups,) units that are taken away.
        """
        constants = dict(program.constants)
        for name, lost in self.numbers.items():
            constants[name] = constants[name] - np.tensordot(gone, lost, 1)
        for name in constants.keys() & self.shapes.keys():
            left = np.asarray(full[name], np.int64) - gone @ self.shapes[name]
            constants[name] = constants[name][tuple(map(slice, left.tolist()))]
        ops = tuple(
            replace(op, attributes=_fallen(op.attributes, self.attributes[op.outputs[0]], gone))
            if op.outputs[0] in self.attributes
            else op
            for op in program.ops
        )
        return replace(program, ops=ops, constants=constants)


def _fallen(given: Mapping[str, Any], lost: Slopes, gone: NDArray[np.int64]) -> dict[str, Any]:
    less = {
        name: (np.asarray(given[name]) - np.tensordot(gone, one, 1)).tolist()
        for name, one in lost.items()
    }
    return {**given, **less}


def one_by_one(units: Sequence[int]) -> NDArray[np.int64]:
    """(groups that have more than one unit, groups) one unit of each group in turn."""
    found: NDArray[np.int64] = np.eye(len(units), dtype=np.int64)[np.asarray(units) > 1]
    return found


def probes(units: Sequence[int]) -> NDArray[np.int64] | None:
    """(probes, groups) of how many units of each group go; None where one after the other do."""
    most = np.asarray(units) // 2
    chance = np.random.default_rng(0)
    for _ in range(DRAWS):
        if len(most) <= PROBES:
            break
        drawn = chance.integers(0, most + 1, (PROBES, len(most)))
        lengths = np.linalg.norm(drawn, axis=0)
        alike = (drawn.T @ drawn) / np.maximum(np.outer(lengths, lengths), 1)
        np.fill_diagonal(alike, 0)
        if (lengths[most > 0] > 0).all() and alike.max() < 1 - 1e-9:
            return drawn
    return None


class UndecidedError(ValueError):
    """Numbers that no one or two groups explain."""


def solved(gone: NDArray[np.int64], lost: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """(groups, ...) what a unit of each group takes of numbers, (...), that fell so in each export.

    Raises:
        UndecidedError: if no one or two groups explain it.
    """
    fell = np.stack(lost).astype(np.int64)
    found = np.zeros((gone.shape[1], *fell.shape[1:]), np.int64)
    columns, lines = found.reshape(len(found), -1), fell.reshape(len(fell), -1)
    for place in np.flatnonzero(lines.any(axis=0)).tolist():
        columns[:, place] = _explained(gone, lines[:, place])
    return found


def _explained(gone: NDArray[np.int64], fell: NDArray[np.int64]) -> NDArray[np.int64]:
    groups = range(gone.shape[1])
    if (gone.sum(axis=1) == 1).all():
        return fell @ gone
    for some in (*((one,) for one in groups), *combinations(groups, 2)):
        columns = gone[:, some]
        parts = np.linalg.lstsq(columns, fell, rcond=None)[0].round().astype(np.int64)
        if np.array_equal(columns @ parts, fell):
            found = np.zeros(len(groups), np.int64)
            found[list(some)] = parts
            return found
    raise UndecidedError
