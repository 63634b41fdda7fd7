"""Amounts that shrink with groups: multiply-accumulates, parameters, activations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Width:
    """Size of a tensor along an axis that shrinks with some groups.

    Args:
        fixed: What no group takes.
        parts: Groups, by their place in the graph, and what each of their units takes.
    """

    fixed: int
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Product:
    """An amount that is `each` times all its widths: work that no layer does, or a tensor's size.

    Args:
        name: The module in whose code the work is done, empty for the network's own; or the tensor.
        each: For one place of every width.
        widths: Those that shrink.
    """

    name: str
    each: float
    widths: tuple[Width, ...] = ()


@dataclass(frozen=True)
class Activation:
    """A tensor that a forward pass holds: of its bytes there are `each` times all its widths.

    Args:
        first: Number of the operation that makes it, from 0.
        last: Number of the last operation during which it is held.
        each: Bytes for each product of the widths, of `samples` samples.
        widths: Its axes that shrink.
        samples: In the pass that was traced; 0 where the tensor does not grow with the batch.
    """

    first: int
    last: int
    each: float
    widths: tuple[Width, ...] = ()
    samples: int = 0
