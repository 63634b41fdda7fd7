"""Amounts with units, as people type and read them: 1.2M, 300kB, 2 MiB, 1.5ms, 250uJ.

Numbers are decimal on their way in and out, so that what is written reads back to the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Quantity:
    """What a cost counts.

    Args:
        written: Units that amounts are written with, from the largest, and their size.
        read: Further units that are understood.
        example: An amount.
        any_case: Whether capitals do not matter: there are no thousandths of a byte, but of a
            second.
    """

    written: Mapping[str, Decimal]
    read: Mapping[str, Decimal]
    example: str
    any_case: bool = False

    def size(self, unit: str) -> Decimal | None:
        """How much one of these is; None for a unit of something else."""
        known = {**self.written, **self.read}
        if self.any_case:
            return {name.lower(): size for name, size in known.items()}.get(unit.lower())
        return known.get(unit)

    def text(self, value: float) -> str:
        """The amount (above 0, finite) with its unit; exact."""
        number = Decimal(repr(value))
        fitting = (unit for unit, size in self.written.items() if number >= size)
        unit = next(fitting, list(self.written)[-1])
        if not unit and number <= 1:
            unit = "k"  # a bare number up to 1 would be a fraction
        return f"{digits(number / self.written[unit])}{unit}"


def _powers(*units: str, first: int) -> dict[str, Decimal]:
    """Units each a thousandth of the one before; `first` is the power of ten of the largest."""
    return {unit: Decimal(10) ** (first - 3 * at) for at, unit in enumerate(units)}


COUNT = Quantity(_powers("T", "G", "M", "k", "", first=12), {}, "1.2M", any_case=True)
BYTES = Quantity(
    _powers("TB", "GB", "MB", "kB", "B", first=12),
    {**COUNT.written, **{f"{p}iB": Decimal(1024) ** n for n, p in enumerate("KMGT", 1)}},
    "300kB",
    any_case=True,
)
SECONDS = Quantity(
    _powers("s", "ms", "us", "ns", first=0), {"": Decimal(1), "µs": Decimal("1e-6")}, "1.5ms"
)
JOULES = Quantity(
    _powers("J", "mJ", "uJ", "nJ", "pJ", first=0), {"": Decimal(1), "µJ": Decimal("1e-6")}, "250uJ"
)
ANYTHING = Quantity(
    COUNT.written,
    {**BYTES.written, **BYTES.read, **SECONDS.written, **JOULES.written},
    COUNT.example,
)
"""For costs of one's own."""

QUANTITIES: dict[str, Quantity] = {
    "macs": COUNT,
    "params": COUNT,
    "size": BYTES,
    "memory": BYTES,
    "energy": JOULES,
    "latency": SECONDS,
}
"""What each cost counts, by its short name."""

SCALED = {"joules": JOULES, "seconds": SECONDS}
"""Names of units whose amounts are far from 1."""


def quantity_of(cost: str) -> Quantity:
    """What the cost of a short name counts."""
    return QUANTITIES.get(cost, ANYTHING)


def digits(number: Decimal) -> str:
    """A number without needless zeros, and with an exponent only where it is very long."""
    plain = number.normalize()
    return f"{plain:f}" if -9 < plain.adjusted() < 18 else str(plain)


def scale(value: float, unit: str) -> tuple[float, str]:
    """An amount in the unit that suits it: 0.0015 seconds are 1.5 ms.

    Args:
        value: 0 or more.
        unit: As a cost names it; those that are not in `SCALED` stay.
    """
    if unit not in SCALED:
        return value, unit
    sizes = SCALED[unit].written
    # 999.5 and more would round to 1000 of the smaller unit.
    fitting = (name for name, size in sizes.items() if value >= 0.9995 * float(size))
    name = next(fitting, list(sizes)[-1]) if value > 0 else next(iter(sizes))
    return value / float(sizes[name]), name.replace("u", "µ")


def readable(value: float, unit: str) -> str:
    """An amount for a sentence: 1,234 MACs, 1.5 ms."""
    number, name = scale(value, unit)
    return f"{number:,.0f} {name}" if number >= 1000 else f"{number:.3g} {name}"
