"""Budgets and ratio policies: plain data that outlives the network it was found for."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from amc.granularity import CHANNELS, Unit
from amc.parsing import digits, quantity_of, read_json, read_record

SCHEMA_VERSION = 1
MAX_POLICY_BYTES = 16_000_000

_AMOUNT = re.compile(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*(%|[a-zµμ]*)", re.IGNORECASE)


class PolicyError(ValueError):
    """A policy that cannot be read, or that belongs to another network."""


@dataclass(frozen=True)
class Budget:
    """What one cost of the pruned network may be at most.

    Args:
        cost: Short name of the cost ("macs", "params").
        limit: A fraction of the unpruned network's cost if `relative`, else in the cost's base
            unit: 1, bytes, joules or seconds.
        relative: Which of the two `limit` is.

    Raises:
        ValueError: if the limit is not a positive finite number, or a fraction above 1.
    """

    cost: str
    limit: float
    relative: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise ValueError(
                f"budget {self.cost}: the limit is {self.limit}; it must be a number above 0"
            )
        if self.relative and self.limit > 1:
            raise ValueError(
                f"budget {self.cost}: {self.limit:.4g} of the unpruned cost cannot be exceeded; "
                f"give a fraction up to 1, or an absolute amount such as {_example(self.cost)}"
            )

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `macs=0.5`, `macs=50%`, `params=1.2M`, `size=300kB` or `latency=1.5ms`.

        A bare number up to 1 and a percentage are fractions of the unpruned network; a number
        above 1, or one with a unit that suits the cost (`amc.parsing.quantities`), is absolute.

        Raises:
            ValueError: if the text has another form, or the unit does not suit the cost.
        """
        cost, equals, amount = (part.strip() for part in text.partition("="))
        match = _AMOUNT.fullmatch(amount)
        if not cost or not equals or match is None:
            raise ValueError(
                f"budget {text!r} has the wrong form; write a cost and its limit, "
                f"such as macs=0.5, macs=50% or {_example(cost)}"
            )
        try:
            number = Decimal(match[1])
        except InvalidOperation:
            raise ValueError(f"budget {text!r}: {match[1]!r} is not a number") from None
        if not 0 < float(number) < math.inf:
            return cls(cost, float(number))  # refused there
        unit = match[2].replace("μ", "µ")  # Greek letter and micro sign
        if unit == "%":
            return cls(cost, float(number / 100))
        return cls(cost, float(number * _size(text, cost, unit)), bool(not unit and number <= 1))

    def absolute(self, full: float) -> float:
        """The limit in the cost's unit, where the unpruned network costs `full`."""
        return self.limit * full if self.relative else self.limit

    def __str__(self) -> str:
        """As `parse` reads it back."""
        if self.relative:
            return f"{self.cost}={digits(Decimal(repr(self.limit)))}"
        return f"{self.cost}={quantity_of(self.cost).text(self.limit)}"


def _size(text: str, cost: str, unit: str) -> Decimal:
    quantity = quantity_of(cost)
    size = quantity.size(unit)
    if size is None:
        known = ", ".join(name for name in (*quantity.written, *quantity.read) if name)
        raise ValueError(
            f"budget {text!r}: {unit!r} is no unit of {cost}; "
            f"write {_example(cost)} (known: {known}) or a fraction such as {cost}=0.5"
        )
    return size


def _example(cost: str) -> str:
    return f"{cost or 'params'}={quantity_of(cost).example}"


@dataclass(frozen=True)
class GroupChoice:
    """How many units of one group stay.

    Args:
        name: The group's name: its first layer in forward order.
        kept: Units that stay, from 0 to `total`; at 0 all goes that needs them.
        total: Units of the unpruned network.
    """

    name: str
    kept: int
    total: int

    @property
    def ratio(self) -> float:
        """The pruning ratio: the fraction of units removed, in [0, 1]."""
        return 1 - self.kept / self.total


@dataclass(frozen=True)
class Policy:
    """How much of each group to prune, as plain data that JSON can hold.

    A policy names groups and counts; it never holds a network. Which units go is decided by the
    criterion when it is applied, so it can be used again on other weights of the same architecture.

    Args:
        groups: One choice per group, in forward order.
        granularity: What a unit is.
        criterion: Short name of the criterion that ranks the units.
        exclude: Shell patterns of layers that stay whole and have no group of their own.
        origin: Where it comes from (strategy, model, budget, seed), for people to read.

    Raises:
        PolicyError: if a count is out of range or a group is named twice.
    """

    groups: tuple[GroupChoice, ...]
    granularity: Unit = CHANNELS
    criterion: str = "l1"
    exclude: tuple[str, ...] = ()
    origin: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, times in Counter(group.name for group in self.groups).items():
            if times > 1:
                raise PolicyError(f"policy: group {name!r} is named twice; keep one of the two")
        for group in self.groups:
            if not 0 <= group.kept <= group.total:
                raise PolicyError(
                    f"policy: group {group.name!r} keeps {group.kept} of {group.total} units; "
                    f"it must keep from 0 to {group.total}"
                )

    @property
    def kept(self) -> tuple[int, ...]:
        """Units that stay, per group."""
        return tuple(group.kept for group in self.groups)

    def to_json(self) -> str:
        """The policy as JSON text that `from_json` reads back to an equal policy."""
        data = {"schema_version": SCHEMA_VERSION, **asdict(self), "granularity": self.granularity}
        return json.dumps(data, indent=2, default=str) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "policy") -> Policy:
        """Read JSON text; `where` names its source in messages.

        Raises:
            PolicyError: if the text is not a valid policy of this schema version.
        """
        data = _parse(text, where)
        if "evaluations" in data:
            raise PolicyError(
                f"{where}: the result of a run and not its policy; name "
                f"{Path(where).with_name('policy.json')}"
            )
        if "schema_version" not in data:
            raise PolicyError(
                f"{where}: has no schema_version, so it is no policy; name the policy.json of a run"
            )
        version = data.pop("schema_version")
        if type(version) is not int or version != SCHEMA_VERSION:
            raise PolicyError(
                f"{where}: schema version {version!r} is not supported; "
                f"this release reads version {SCHEMA_VERSION}"
            )
        try:
            return read_record(cls, data)
        except PolicyError as error:
            raise PolicyError(str(error).replace("policy", where, 1)) from None
        except ValueError as error:
            raise PolicyError(f"{where}: {error}; export the policy again") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the policy as JSON, whole or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        temporary.write_text(self.to_json(), encoding="utf-8")
        temporary.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Read a policy that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            IsADirectoryError: if it is a folder.
            PolicyError: if it is not a valid policy.
        """
        source = Path(path)
        if source.is_dir():
            raise IsADirectoryError(f"{source} is a folder; name a file, {source / 'policy.json'}")
        if not source.is_file():
            raise FileNotFoundError(f"no policy at {source}; `amc search --out RUN` writes one")
        if source.stat().st_size > MAX_POLICY_BYTES:
            raise PolicyError(f"{source}: too large for a policy; is it a checkpoint?")
        try:
            text = source.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise PolicyError(f"{source}: not text; a policy is a JSON file") from None
        return cls.from_json(text, str(source))


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        data = read_json(text)
    except ValueError as error:
        raise PolicyError(f"{where}: {error}; export the policy again") from None
    if not isinstance(data, dict):
        raise PolicyError(f"{where}: a policy is a JSON object, not {type(data).__name__}")
    return data
