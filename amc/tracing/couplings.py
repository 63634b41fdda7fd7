"""From the labels of a forward pass to what may be cut: blocks of channels, and ways to cut each.

Where code lays channels out along several axes, as attention does with heads, a cut must take whole
rows along one of them. Which one, only a trial can tell: each way is a proposal.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from amc.tracing.flow import Flow
from amc.tracing.labels import Atoms, numbers
from amc.tracing.units import Element, Ranks, Signature, Unit, ranks, unit_of

WAYS = (-2, -1, -3)
"""The axis that units are counted along, from the last: of (heads, width) first whole heads, then
a position in every head."""

ALL_OR_NONE = "its channels go all together or not at all"


@dataclass(frozen=True)
class Block:
    """Channels that are cut, or left alone, by one decision about how.

    Attributes:
        layers: The modules that make them.
        ways: Units for each way to cut that is open, best first.
        reason: Why there is none.
    """

    layers: frozenset[str]
    ways: tuple[tuple[Unit, ...], ...]
    reason: str = ""


@dataclass
class _Cell:
    """Channels that ties, links or a common layout connect.

    Attributes:
        elements: With their labels.
        factorings: How they are laid out along several axes.
        laid_out: Whether code does that, and not the groups of a norm alone.
    """

    elements: list[tuple[Element, int]] = field(default_factory=list)
    factorings: list[Tensor] = field(default_factory=list)
    laid_out: bool = False

    def signature(self, order: Ranks) -> Signature:
        """The sides that it touches, and how many channels of each."""
        counts = Counter((name, side) for (name, side, _), _ in self.elements)
        return tuple((*side, counts[side]) for side in sorted(counts, key=order.__getitem__))


def blocks(flow: Flow) -> list[Block]:
    """All channels of the network's known modules, in blocks that are cut alike."""
    by_signature: dict[Signature, list[_Cell]] = defaultdict(list)
    order = ranks(flow.elements)
    for cell in _cells(flow):
        by_signature[cell.signature(order)].append(cell)
    return [_block(flow, cells, order) for cells in by_signature.values()]


def _cells(flow: Flow) -> list[_Cell]:
    joint = flow.atoms.copy()
    for labels in (*flow.factorings, *flow.norm_groups):
        joint.tie_all(numbers(labels))
    for label, members in flow.links:
        joint.tie_all((label, *members))
    cells: dict[int, _Cell] = defaultdict(_Cell)
    roots = joint.roots()
    for (name, side), ids in flow.elements.items():
        labels = ids.long()
        at = zip(labels.tolist(), roots[labels.numpy()].tolist(), strict=True)
        for index, (label, root) in enumerate(at):
            if label:
                cells[root].elements.append(((name, side, index), label))
    for number, laid_out in enumerate((*flow.factorings, *flow.norm_groups)):
        root = joint.find(numbers(laid_out)[0])
        if root in cells:
            cells[root].factorings.append(laid_out)
            cells[root].laid_out |= number < len(flow.factorings)
    return list(cells.values())


def _block(flow: Flow, cells: Sequence[_Cell], order: Ranks) -> Block:
    sides = {(name, side) for cell in cells for (name, side, _), _ in cell.elements}
    names = {flow.makers.get((name, side), name if side == "out" else "") for name, side in sides}
    ways, reason = [], ""
    for atoms in _ties(flow, cells):
        units, why = _units(atoms, cells, order)
        reason = reason or why
        if units and units not in ways:
            ways.append(units)
    if not any(cell.laid_out for cell in cells):
        # A norm loses whole groups or places of each, whichever is finer.
        ways.sort(key=len, reverse=True)
    return Block(frozenset(names - {""}), tuple(ways), "" if ways else reason)


def _ties(flow: Flow, cells: Sequence[_Cell]) -> Iterator[Atoms]:
    """The ties of each way to cut."""
    factorings = [labels for cell in cells for labels in cell.factorings]
    for way in WAYS if factorings else (0,):
        atoms = flow.atoms.copy() if factorings else flow.atoms
        for labels in factorings:
            axis = max(way, -labels.dim())
            rows = labels.movedim(axis, 0).flatten(1)  # (units, channels of one)
            for row in rows:
                if len(found := numbers(row)) > 1:
                    atoms.tie_all(found)
        _tie_links(flow, atoms)
        yield atoms


def _tie_links(flow: Flow, atoms: Atoms) -> None:
    """A label goes with those that it stands for where they all go together."""
    waiting = flow.links
    while True:
        left = []
        for label, members in waiting:
            if len({atoms.find(member) for member in members}) == 1:
                atoms.tie_all((label, members[0]))
            else:
                left.append((label, members))
        if len(left) == len(waiting):
            return
        waiting = left


def _units(atoms: Atoms, cells: Sequence[_Cell], order: Ranks) -> tuple[tuple[Unit, ...], str]:
    """The units that may go, or why none may."""
    together: dict[int, list[Element]] = defaultdict(list)
    roots = atoms.roots().tolist()
    for cell in cells:
        for element, label in cell.elements:
            together[roots[label]].append(element)
    reasons = {root: atoms.reason(root) for root in together}
    free = [unit_of(elements, order) for root, elements in together.items() if not reasons[root]]
    laid_out = any(cell.laid_out for cell in cells)
    if not free or (laid_out and any(reasons.values())):
        return (), next(reason for reason in reasons.values() if reason)
    if len(free) < 2:
        return (), ALL_OR_NONE
    return tuple(free), ""
