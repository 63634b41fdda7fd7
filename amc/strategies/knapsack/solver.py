"""The choices that lose least within the budgets, by an exact solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]
from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]

from amc.strategies.knapsack.choices import Choices
from amc.strategies.knapsack.terms import Terms

Numbers = NDArray[np.float64]

NODES = 500
"""Of the solver's tree, after which the best solution so far is taken; seconds would make the same
search another one on another day."""

GAP = 1e-3
"""How far from the best one a solution may be, as part of it."""


@dataclass(frozen=True)
class Solver:
    """Chooses one option each, so that a sum of losses is least and every budget holds.

    A mixed-integer linear program (HiGHS, by `scipy.optimize.milp`): a binary number for each
    option; for each pair that costs something together a table of numbers that add up to the
    options on its sides, as in a transport problem, so that they are whole where those are.

    Args:
        choices: What there is to choose.
        terms: Of each cost that has a budget.
    """

    choices: Choices
    terms: tuple[Terms, ...]

    def solve(self, losses: Sequence[Numbers], most: Sequence[float]) -> tuple[int, ...] | None:
        """An option for each choice; None where no choice meets the budgets.

        What a group takes whose branch is gone does not matter.

        Args:
            losses: Of each choice, (options,) numbers.
            most: What each cost may be.
        """
        weights = np.zeros(self._size)
        weights[: self._binary] = np.concatenate(list(losses))
        budgets = [
            LinearConstraint(row[None], -np.inf, bound - terms.full)
            for row, bound, terms in zip(self._costs, most, self.terms, strict=True)
        ]
        whole = np.arange(self._size) < self._binary
        found = milp(
            weights,
            constraints=[*self._rules, *budgets],
            integrality=whole.astype(int),
            bounds=Bounds(0.0, 1.0),
            options={"node_limit": NODES, "mip_rel_gap": GAP},
        )
        return None if found.x is None else self._taken(found.x)

    def _taken(self, x: Numbers) -> tuple[int, ...]:
        chosen = [int(np.argmax(x[own])) for own in self._columns]
        return tuple(own[at] for own, at in zip(self.choices.options, chosen, strict=True))

    @cached_property
    def _columns(self) -> tuple[slice, ...]:
        """Of the options of each choice."""
        ends = np.cumsum([0, *map(len, self.choices.options)])
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends))

    @property
    def _binary(self) -> int:
        return int(self._columns[-1].stop)

    @cached_property
    def _tables(self) -> dict[tuple[int, int], slice]:
        """Columns of the pairs that any cost knows."""
        start, tables = self._binary, {}
        for pair in dict.fromkeys(pair for terms in self.terms for pair in terms.pairs):
            size = len(self.choices.options[pair[0]]) * len(self.choices.options[pair[1]])
            tables[pair] = slice(start, start + size)
            start += size
        return tables

    @cached_property
    def _size(self) -> int:
        return max([self._binary, *(int(own.stop) for own in self._tables.values())])

    @cached_property
    def _costs(self) -> tuple[Numbers, ...]:
        """(columns,) what each adds to each cost."""
        rows = []
        for terms in self.terms:
            row = np.zeros(self._size)
            row[: self._binary] = np.concatenate(terms.single)
            for pair, table in terms.pairs.items():
                row[self._tables[pair]] = table.ravel()
            rows.append(row)
        return tuple(rows)

    @cached_property
    def _rules(self) -> list[LinearConstraint]:
        """One option each, tables that add up to them, and groups that stay with their branches."""
        rows: list[dict[int, float]] = [
            dict.fromkeys(range(own.start, own.stop), 1.0) for own in self._columns
        ]
        equal = [1.0] * len(rows)
        for (one, other), table in self._tables.items():
            cells = np.arange(table.start, table.stop)
            cells = cells.reshape(len(self.choices.options[one]), -1)
            for side, lines in ((one, cells), (other, cells.T)):
                for at, line in enumerate(lines):
                    row = dict.fromkeys(line.tolist(), 1.0)
                    rows.append({**row, self._columns[side].start + at: -1.0})
                    equal.append(0.0)
        return [LinearConstraint(_sparse(rows, self._size), equal, equal), *self._ends]

    @cached_property
    def _ends(self) -> list[LinearConstraint]:
        """Groups of a branch that is gone count as whole, so that they add nothing of their own."""
        rows = []
        for choice in range(self.choices.groups, len(self._columns)):
            gone = self._columns[choice].start
            for group in self.choices.ended[choice]:
                own = self._columns[group]
                rows += [{gone: 1.0, at: 1.0} for at in range(own.start, own.stop - 1)]
        return [LinearConstraint(_sparse(rows, self._size), -np.inf, 1.0)] if rows else []


def _sparse(rows: Sequence[dict[int, float]], width: int) -> sparse.csr_matrix:
    where = [(at, column) for at, row in enumerate(rows) for column in row]
    values = [value for row in rows for value in row.values()]
    lines, columns = zip(*where, strict=True)
    return sparse.csr_matrix((values, (lines, columns)), shape=(len(rows), width))
